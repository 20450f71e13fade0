"""What one voice has of its own, as the page keeps it."""

import gradio as gr

from engine.chat.sampling import RANGES
from ui import own_settings

EMPTY = {"has_system": False, "system": "", **dict.fromkeys(RANGES)}
TRAINED = EMPTY | {"has_system": True, "system": "You are Shen."}


def test_what_is_empty_is_as_for_all():
    """A voice whose last own value is taken back has nothing of its own any more."""
    kept = own_settings.written({}, "a", "seed", 3.0)
    assert kept == {"a": EMPTY | {"seed": 3.0}}
    kept = own_settings.written(kept, "base", "has_system", True)  # an empty prompt is one too
    assert own_settings.label(kept, "en") == "Settings of one voice · 2"
    systems, sampling = own_settings.read(kept, ["base", "a"])
    assert (systems, sampling) == ({"base": ""}, {"a": {"seed": 3}})
    assert isinstance(sampling["a"]["seed"], int)
    assert own_settings.read(kept, ["base"]) == ({"base": ""}, {})
    assert own_settings.written(kept, "a", "seed", None) == {"base": kept["base"]}
    assert own_settings.label({}, "zh") == "单个声音的设置"


def test_a_prompt_that_does_not_count_is_not_shown_again():
    """In a field it would count: what is written there does."""
    unticked = EMPTY | {"system": "Be brief.", "seed": 5}
    kept = {"a": TRAINED, "b": unticked}
    assert own_settings.shown(kept, "a") == TRAINED
    assert own_settings.shown(kept, "b") == EMPTY | {"seed": 5}
    assert own_settings.shown(kept, "base") == EMPTY


def test_a_new_voice_begins_with_its_own_trained_prompt_and_a_staying_one_keeps_all():
    """Of the voices before, `a` stays and has its seed; `gone` goes with all that it had."""
    with gr.Blocks():
        own = own_settings.build()
    kept = {"a": EMPTY | {"seed": 5}, "gone": TRAINED}
    names = {"base": "base", "a": "oak", "b": "keeper"}
    prompts = ["You are Mara.", "You are Mara.", "You are Shen."]
    updates = own_settings.put_on(own, kept, ["base", "a", "gone"], names, prompts, "en")
    assert updates[own.kept] == {"a": kept["a"], "b": TRAINED}
    assert (updates[own.box].visible, updates[own.box].label) == (True, "Settings of one voice · 2")
    assert updates[own.whose].choices == [("base", "base"), ("oak", "a"), ("keeper", "b")]
    assert updates[own.whose].value == "base"
    alone = own_settings.put_on(own, kept, ["base", "a"], {"base": "base"}, [""], "en")
    assert (alone[own.box].visible, alone[own.kept]) == (False, {})


def test_a_voice_that_shared_the_first_ones_prompt_gets_its_own_when_that_one_goes():
    """Another leads from now on, with another prompt for all: a seed of one's own stays beside the
    trained prompt, and so does a prompt that a person wrote."""
    with gr.Blocks():
        own = own_settings.build()
    mine = EMPTY | {"has_system": True, "system": "Be brief."}
    kept = {"b": TRAINED, "c": EMPTY | {"seed": 5}, "d": mine}
    names = dict.fromkeys(["base", "b", "c", "d"], "")
    prompts = ["You are Shen.", "You are Shen.", "You are Mara.", "You are Mara."]
    updates = own_settings.put_on(own, kept, [], names, prompts, "en")
    trained = {"has_system": True, "system": "You are Mara."}
    assert updates[own.kept] == {"c": kept["c"] | trained, "d": mine}


def test_who_leads_follows_the_prompt_for_all():
    """Its own was the same, and would hide what a person writes into the one that is seen."""
    with gr.Blocks():
        own = own_settings.build()
    kept = {"b": TRAINED | {"seed": 5}, "c": TRAINED}
    updates = own_settings.put_on(own, kept, [], {"b": "oak"}, ["You are Shen."], "en")
    assert updates[own.kept] == {"b": EMPTY | {"seed": 5}}
    updates = own_settings.put_on(own, {}, [], {"a": "", "b": ""}, ["", "You are Shen."], "en")
    assert updates[own.kept] == {"b": TRAINED}  # also where the one for all is empty


def test_retry_draws_by_the_next_seed_also_of_a_voice_with_its_own():
    """After the last seed comes the first; who draws as all do has none of its own."""
    last = RANGES["seed"][1]
    kept = {"a": EMPTY | {"seed": 3.0}, "b": TRAINED, "c": EMPTY | {"seed": last}}
    assert own_settings.with_next_seeds(kept) == {
        "a": EMPTY | {"seed": 4},
        "b": TRAINED,
        "c": EMPTY | {"seed": 0},
    }
