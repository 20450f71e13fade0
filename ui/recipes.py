"""Recipes at the top of the Train tab: what each is, what its two versions need, one click to fill.

The memory is that which `engine.training.estimate` foretells for the chosen data on the recipe's
own card.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.components import Component
from gradio.context import Context

from engine import recipes
from engine.config import TrainConfig
from engine.desk import client as desk
from engine.recipes import TODAY, Recipe
from ui import cards, form, recipe_card
from ui.chosen import Chosen
from ui.events import LATEST, QUIET
from ui.text import language, say, t

CSS = Path(__file__).with_name("recipes.css").read_text(encoding="utf-8")
# What belongs to the person's data and machine; a recipe says it only where it names it.
KEPT = ("mapping", "speaker", "eval_dataset", "sample_prompts", "system_prompt", "gpu_ids")


@dataclass(frozen=True, slots=True)
class Picker:
    recipe: gr.Dropdown
    version: gr.Radio
    card: gr.HTML
    fill: gr.Button
    said: gr.HTML


def build() -> Picker:
    with gr.Column(elem_id="recipes"):
        with gr.Row(elem_id="recipe_row"):
            recipe = gr.Dropdown(
                choices("en"),
                value="",
                label=t("recipes_choose"),
                info=t("recipes_choose_help"),
                elem_id="recipe",
                min_width=240,
            )
            version = gr.Radio(
                [(t(f"recipes_{one}"), one) for one in recipes.VERSIONS],
                value=TODAY,
                label=t("recipes_version"),
                visible=False,
                elem_id="recipe_version",
                min_width=200,
            )
            fill = gr.Button(
                t("recipes_fill"), visible=False, elem_id="recipe_fill", min_width=160, scale=0
            )
        said = gr.HTML(cards.nothing(), elem_id="recipe_said", elem_classes="bare")
        card = gr.HTML(cards.nothing(), elem_id="recipe_card", elem_classes="bare")
    return Picker(recipe, version, card, fill, said)


def choices(lang: str) -> list[tuple[str, str]]:
    listed = [(one.title.in_language(lang), one.id) for one in recipes.list_recipes()]
    return [(say("recipes_none", lang), ""), *listed]


def wire(
    picker: Picker,
    chosen: Chosen,
    revised: gr.State,
    filled: Callable[[TrainConfig, int, str], dict],
    inputs: dict,
    outputs: list[Component],
) -> None:
    """`inputs` is the whole form by field name; `filled(config, count of revisions, chosen
    dataset)` gives the updates of the form for `outputs`."""

    def choose(name: str):
        """The version that the recipe begins with; one that has a single version offers none."""
        if not name:
            return gr.Radio(visible=False), gr.Button(visible=False), cards.nothing()
        versions = recipes.get(name).versions
        shown = gr.Radio(value=versions[0], visible=len(versions) > 1)
        return shown, gr.Button(visible=True), cards.nothing()

    def show(name: str, version: str, dataset: str, request: gr.Request):
        yield from _shown(name, version, dataset, language(request))

    def fill(request: gr.Request, **values):
        recipe, version = recipes.get(values.pop("recipe")), values.pop("version")
        count = values.pop("revised")
        given = over(recipe, version, form.read(values)[0])
        said = cards.sentence(say("recipes_filled", language(request)), "calm")
        return filled(given, count, values["dataset"]) | {
            picker.said: said,
            chosen.sampling: recipe.generation,
        }

    def offer(request: gr.Request):
        return gr.Dropdown(choices=choices(language(request)))

    asked = [picker.recipe, picker.version, chosen.dataset]
    many = {"concurrency_limit": None, **QUIET}
    picker.recipe.change(
        choose, picker.recipe, [picker.version, picker.fill, picker.said], **QUIET
    ).then(show, asked, picker.card, **many, **LATEST)
    gr.on(
        [picker.version.input, chosen.dataset.change, revised.change],
        show,
        asked,
        picker.card,
        **many,
        **LATEST,
    )
    gr.on([Context.root_block.load, revised.change], offer, None, picker.recipe, **many)
    more = {"recipe": picker.recipe, "version": picker.version, "revised": revised}
    picker.fill.click(
        fill, inputs_kwargs=inputs | more, outputs=[*outputs, picker.said, chosen.sampling], **QUIET
    )


def over(recipe: Recipe, version: str, before: TrainConfig | None) -> TrainConfig:
    """The recipe's options; what belongs to the person's data and machine stays as it was where the
    recipe does not name it."""
    given = recipe.config(version).to_dict()
    if before is not None:
        kept = [name for name in KEPT if name not in recipe.options]
        given |= {name: getattr(before, name) for name in kept}
        given["dataset"] = before.dataset or given["dataset"]
    return TrainConfig.from_dict(given)


def _shown(name: str, version: str, dataset: str, lang: str):
    """The card at once, then with what each version needs, the version that is chosen first."""
    if not name:
        yield cards.nothing()
        return
    recipe = recipes.get(name)
    version = version if version in recipe.versions else recipe.versions[0]
    found: dict[str, dict] = {}
    yield recipe_card.card(recipe, version, found, lang)
    for one in sorted(recipe.versions, key=lambda one: one != version):
        config = recipe.config(one).to_dict()
        found[one] = desk.estimate(config | {"dataset": dataset}, recipe.gpu_gib)
        yield recipe_card.card(recipe, version, found, lang)
