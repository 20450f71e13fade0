"""Recipes on the page: the card says both versions' memory and where they differ; filling the form
keeps what belongs to the person's data."""

import html
import re

import pytest

from engine import recipes
from engine.config import TrainConfig
from ui import recipe_card
from ui import recipes as picker
from ui.text import WORDS, say


def plan(fits=True, **parts):
    need = {"peak_gib": sum(parts.values()), "parts": parts, "device_gib": 24, "fits": fits}
    return {"peak_gib": 99.0, "device": "CPU", "plan": need, "reasons": []}


NOT_HERE = {"reasons": [{"field": "model_name_or_path", "en": "Not <here>.", "zh": "不在本机。"}]}
QWEN = recipes.get("qwen-roleplay-8bit")


def text_of(page):
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())


def shown(recipe, found, lang="en", chosen="tutorial"):
    return text_of(recipe_card.card(recipe, chosen, found, lang))


def test_both_memories_stand_beside_each_other_with_where_they_differ():
    """On the recipe's own card, not on this machine; the largest difference first, none that is too
    small to say."""
    found = {
        "tutorial": plan(weights=8.1, activations=7.0, runtime=0.5),
        "today": plan(fits=False, weights=4.3, activations=21.0, runtime=0.55),
    }
    said = shown(QWEN, found)
    assert "as in the tutorial 15.6 GiB predicted, of a card of 24 GiB" in said
    assert "today 25.9 GiB predicted, too large for a card of 24 GiB" in said
    assert "differs: activations 7.0 → 21.0 GiB, weights 8.1 → 4.3 GiB." in said
    assert QWEN.why.en in said
    assert "99" not in said
    assert "显存差在：激活 7.0 → 21.0 GiB、权重 8.1 → 4.3 GiB。" in shown(QWEN, found, "zh")


def test_the_options_that_differ_are_told_with_both_values():
    said = shown(QWEN, {})
    assert f"{len(QWEN.changes())} options differ 4-bit base (QLoRA) off → on " in said
    assert " Learning rate 0.0001 → 0.0002 " in said
    assert " Target modules c_attn, c_proj, w1, w2 → all-linear " in said
    learned = (say(f"data_learn_{one}", "zh") for one in ("everything", "answers"))
    assert f"学习哪些部分 {' → '.join(learned)} " in shown(recipes.get("falcon-instruct"), {}, "zh")


def test_while_it_is_predicted_and_where_nothing_can_be():
    """What is known comes first; one reason is said once, and is text."""
    half = shown(QWEN, {"tutorial": plan(weights=8.0)})
    assert "8.0 GiB predicted" in half
    assert "today Predicting the memory" in half
    assert "differs:" not in half
    page = recipe_card.card(QWEN, "tutorial", dict.fromkeys(QWEN.versions, NOT_HERE), "en")
    assert "<here>" not in page
    assert text_of(page).count("Memory is known once the model's config is here. Not <here>.") == 1


def test_one_version_is_not_named():
    """Sprout needs no card: its memory is that of this machine."""
    sprout = recipes.get("sprout")
    found = {"today": {"peak_gib": 0.84, "device": "CPU", "parts": {}, "reasons": []}}
    said = shown(sprout, found, chosen="today")
    assert "Needs needs none 0.84 GiB predicted, on CPU" in said
    assert "today" not in said


def test_how_it_is_asked_is_told():
    llama, style = recipes.get("llama2-chinese"), recipes.get("chatglm3-style")
    asked = "In chat temperature 0.3 · top_p 0.95 · top_k 50 · repetition_penalty 1.3"
    assert asked in shown(llama, {})
    assert "In chat greedy: always the likeliest word" in shown(style, {})


@pytest.mark.parametrize("one", recipes.list_recipes(), ids=lambda one: one.id)
def test_every_card_can_be_drawn_in_both_languages(one):
    for lang in ("en", "zh"):
        said = shown(one, {}, lang, one.versions[0])
        assert said.startswith(one.title.in_language(lang))
        assert one.source.in_language(lang) in said


def test_what_belongs_to_the_data_stays():
    """But what the recipe itself names comes along, and all the rest is the recipe's."""
    before = TrainConfig(
        **{"dataset": "mine.jsonl", "mapping": "q=user", "speaker": "Mara", "lora_r": 99},
        **{"sample_prompts": "Hi?", "system_prompt": "Be kind.", "packing": False},
    )
    given = picker.over(recipes.get("qwen3-4b"), "today", before)
    assert given == TrainConfig(
        **{"dataset": "mine.jsonl", "mapping": "q=user", "speaker": "Mara"},
        **{"sample_prompts": "Hi?", "system_prompt": "Be kind."},
        **recipes.get("qwen3-4b").options,
    )
    assert picker.over(recipes.get("sprout"), "today", before).dataset == "mine.jsonl"
    assert picker.over(QWEN, "tutorial", before).system_prompt == QWEN.options["system_prompt"]


def test_the_choices_are_all_recipes_and_none():
    assert [value for _, value in picker.choices("zh")] == [
        "",
        *(one.id for one in recipes.list_recipes()),
    ]
    assert {"recipes_tutorial", "recipes_today"} <= WORDS.keys()
