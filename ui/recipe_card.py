"""A recipe as HTML: where it comes from, what its versions need, in what they differ."""

from engine.recipes import TODAY, TUTORIAL, Recipe
from ui import cards
from ui.cards import gib
from ui.form import OPTIONS
from ui.text import both, say

_WORTH_SAYING_GIB = 0.1


def card(recipe: Recipe, chosen: str, found: dict[str, dict], lang: str) -> str:
    """`found` holds the estimate of each version that is known by now."""
    peaks = {one: _need(found[one]) for one in found}
    if len(found) == len(recipe.versions) and not any(peaks.values()):
        versions = _unknown(found[chosen], lang)
    else:
        columns = [_version(recipe, one, chosen, found.get(one), lang) for one in recipe.versions]
        versions = f'<div class="versions">{"".join(columns)}</div>'
    parts = [
        cards.paragraph(recipe.source.in_language(lang)),
        cards.facts(_facts(recipe, lang)),
        versions,
    ]
    if recipe.why:
        if len(peaks) == 2 and all(peaks.values()):
            parts.append(_difference(peaks[TUTORIAL], peaks[TODAY], lang))
        parts += [cards.paragraph(recipe.why.in_language(lang)), _options(recipe, lang)]
    return cards.card(recipe.title.in_language(lang), *parts, kind="recipe")


def _facts(recipe: Recipe, lang: str) -> list[tuple[str, str]]:
    told = [
        (say("recipes_model", lang), recipe.options["model_name_or_path"]),
        (say("recipes_data", lang), recipe.data.in_language(lang)),
        (say("recipes_gpu", lang), recipe.gpu.in_language(lang)),
    ]
    if recipe.generation:
        settings = [f"{name} {value:g}" for name, value in recipe.generation.items()]
        if recipe.generation.get("temperature") == 0:
            settings = [say("recipes_greedy", lang)]
        told.append((say("recipes_generation", lang), " · ".join(settings)))
    return told


def _need(estimate: dict) -> dict:
    """What is foretold for the card that the recipe is for, else for this machine; {} for
    nothing."""
    return estimate.get("plan") or (estimate if "peak_gib" in estimate else {})


def _version(recipe: Recipe, one: str, chosen: str, estimate: dict | None, lang: str) -> str:
    several = len(recipe.versions) > 1
    head = f"<h4>{cards.text(say(f'recipes_{one}', lang))}</h4>" if several else ""
    mark = " chosen" if several and one == chosen else ""
    if estimate is None:
        body = cards.waiting(say("recipes_predicting", lang))
    elif need := _need(estimate):
        body = cards.paragraph(say("recipes_peak", lang, peak=gib(need["peak_gib"])), "big")
        body += cards.paragraph(_of_what(recipe, need, lang), "soft small")
    else:
        body = _unknown(estimate, lang)
    return f'<div class="version{mark}">{head}{body}</div>'


def _of_what(recipe: Recipe, need: dict, lang: str) -> str:
    if not recipe.gpu_gib:
        return say("recipes_of_device", lang, device=need["device"])
    key = "recipes_of_card" if need["fits"] else "recipes_too_large"
    return say(key, lang, size=f"{recipe.gpu_gib:g}")


def _unknown(estimate: dict, lang: str) -> str:
    """Why nothing is foretold: most often the model's config is not here and cannot be had."""
    reason = estimate["reasons"][0]
    said = cards.paragraph(both(reason).in_language(lang), "soft small")
    if reason["field"] == "model_name_or_path":
        return cards.paragraph(say("recipes_unknown", lang)) + said
    return said


def _difference(before: dict, after: dict, lang: str) -> str:
    """The parts in which the two peaks differ, the largest first."""
    old, new = before["parts"], after["parts"]
    names = sorted(old.keys() | new.keys(), key=lambda n: -abs(new.get(n, 0) - old.get(n, 0)))
    told = [
        say(
            "recipes_part",
            lang,
            part=say(f"fitting_part_{name}", lang),
            before=gib(old.get(name, 0)),
            after=gib(new.get(name, 0)),
        )
        for name in names
        if abs(new.get(name, 0) - old.get(name, 0)) >= _WORTH_SAYING_GIB
    ]
    if not told:
        return ""
    joined = say("recipes_joined", lang).join(told)
    return cards.paragraph(say("recipes_difference", lang, parts=joined))


def _options(recipe: Recipe, lang: str) -> str:
    """The options in which the versions differ, folded."""
    before, after = recipe.config(TUTORIAL), recipe.config(TODAY)
    pairs = []
    for name in recipe.changes():
        label = OPTIONS[name].metadata["label"].in_language(lang)
        values = (_value(name, getattr(one, name), lang) for one in (before, after))
        pairs.append((label, " → ".join(values)))
    title = say("recipes_options", lang, count=len(pairs))
    return f"<details><summary>{cards.text(title)}</summary>{cards.facts(pairs)}</details>"


def _value(name: str, value, lang: str) -> str:
    if name == "loss_on":
        return say(f"data_learn_{value}", lang)
    if isinstance(value, bool):
        return say("recipes_on" if value else "recipes_off", lang)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
