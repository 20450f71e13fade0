"""What one voice has of its own, read from its fold."""

import gradio as gr

from engine.chat.sampling import RANGES
from ui import own_settings

VOICES = ["base", "a"]


def values(**given):
    """Of one fold: nothing of its own, but for `given`."""
    return [False, "", *(given.get(name) for name in RANGES)]


def test_what_is_empty_is_as_for_all():
    with gr.Blocks():
        own = own_settings.build()
    assert len(own_settings.fields(own)) == 4 * len(values())
    nothing = values() * 2
    assert own_settings.read(own, VOICES, (*values(), *values(), *nothing)) == ({}, {})
    first = [True, "", *values()[2:]]  # an empty prompt of its own is one too
    second = values(temperature=0, seed=3.0)
    later = values(seed=5)  # a column that is not used any more
    read = own_settings.read(own, VOICES, (*first, *second, *later, *later))
    assert read == ({"base": ""}, {"a": {"temperature": 0.0, "seed": 3}})
    assert isinstance(read[1]["a"]["seed"], int)


def test_a_new_voice_begins_with_its_own_trained_prompt_and_a_staying_one_keeps_all():
    with gr.Blocks():
        own = own_settings.build()
    prompts = ["You are Mara.", "You are Mara.", "You are Shen."]
    updates = own_settings.put_on(own, VOICES, ["n"] * 3, [*VOICES, "b"], prompts)
    assert [updates[one.box].visible for one in own] == [True, True, True, False]
    assert own[1].system not in updates
    assert (updates[own[2].has_system], updates[own[2].system]) == (True, "You are Shen.")
    assert updates[own[2].sampling["seed"]] is None
    alone = own_settings.put_on(own, VOICES, ["n"], ["base"], [""])
    assert not any(alone[one.box].visible for one in own)
