"""The form as a command and as YAML, and back: nothing gets lost, nothing unknown gets in."""

import dataclasses
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.__main__ import _parser
from engine.commands.asked import config_of
from engine.config import TrainConfig, default_config
from engine.errors import UserError
from engine.options.as_text import from_text, to_command
from engine.options.declare import choices


def value_of(one):
    if choices(one):
        return st.sampled_from(choices(one))
    if one.type is bool:
        return st.booleans()
    if one.type is str:
        return st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    low, high = one.metadata["low"], one.metadata["high"]
    return st.integers(low, high) if one.type is int else st.floats(low, high)


configs = st.builds(
    TrainConfig, **{one.name: value_of(one) for one in dataclasses.fields(TrainConfig)}
)


@settings(max_examples=60, deadline=None)
@given(configs)
def test_there_and_back_is_the_same(config):
    """As YAML, as a command, and as argparse itself reads the command's words."""
    assert from_text(config.to_yaml()) == config
    command = to_command(config)
    assert from_text(command) == config
    assert config_of(_parser().parse_args(shlex.split(command)[3:])) == config


def test_only_what_differs_is_written():
    assert to_command(default_config()) == "python -m engine train"
    changed = dataclasses.replace(
        default_config(), lora_r=3, packing=False, system_prompt="It's\nfine", learning_rate=2e-5
    )
    assert to_command(changed) == (
        "python -m engine train --system_prompt='It'\"'\"'s\nfine' --learning_rate=2e-05 "
        "--lora_r=3 --packing=false"
    )


@pytest.mark.parametrize(
    "text",
    [
        "--lora_r=3 --packing=false",
        "  python -m engine train --lora_r 3 --packing false --json",
        "CUDA_VISIBLE_DEVICES=0 /usr/bin/python3.11 -m engine train \\\n  --lora_r=3 \\\n"
        "--packing False\n",
        "python -m engine train \\\r\n  --lora_r 3 \\\r\n\\\r\n--packing=False \\\r\n",
    ],
)
def test_commands_as_people_write_them(text):
    assert from_text(text) == dataclasses.replace(default_config(), lora_r=3, packing=False)


@pytest.mark.parametrize("text", ['--system_prompt "" --lora_r=3', "--lora_r=3 --system_prompt ''"])
def test_an_empty_value_is_a_value(text):
    assert from_text(text) == dataclasses.replace(default_config(), lora_r=3, system_prompt="")


@pytest.mark.parametrize("start", ["---\n", "--- \n", "---\r\n# mine\r\n"])
def test_yaml_may_begin_with_the_mark_of_a_document(start):
    """Two of its dashes are those of a flag."""
    assert from_text(f"{start}lora_r: 3\n") == TrainConfig(lora_r=3)


def test_yaml_takes_the_plain_defaults_for_what_it_does_not_say():
    """As `python -m engine train FILE.yaml` does."""
    assert from_text("learning_rate: 2e-5\ngpu_ids: 0\n") == TrainConfig(
        learning_rate=2e-5, gpu_ids="0"
    )


@pytest.mark.parametrize(
    ("text", "sentence", "field"),
    [
        ("--learning_rat=1", "called 'learning_rat'. Did you mean learning_rate?", "learning_rat"),
        ("learning_rat: 1", "called 'learning_rat'. Did you mean learning_rate?", "learning_rat"),
        ("--cutoff_len=8", "called 'cutoff_len'. Did you mean max_length?", "cutoff_len"),
        ("--lora_r", "lora_r has no value; write --lora_r=value.", "lora_r"),
        ("--lora_r --packing=false", "lora_r has no value; write --lora_r=value.", "lora_r"),
        ("--speaker --json", "speaker has no value; write --speaker=value.", "speaker"),
        ("a: " + "[" * 90_000, "neither a command nor valid YAML; write lines", ""),  # or it dies
        ("- " * 45_000 + "a", "neither a command nor valid YAML; write lines", ""),
        ("--lora_r=8 --packing=false --lora_r 64", "lora_r stands twice; leave one of", "lora_r"),
        ("lora_r: 8\npacking: false\nlora_r: 64", "lora_r stands twice; leave one of", "lora_r"),
        ("a: 1\n" * 20_000, "a stands twice; leave one of the two out.", "a"),
        ("--lora_r=3 4", "'4' stands where an option should", ""),
        ("--lora_r=many", "Rank (lora_r) is 'many'; it must be a whole number", "lora_r"),
        (f"lora_r: {'9' * 400}", "it must be a whole number", "lora_r"),
        ("python -m engine train mine.yaml --lora_r=3", "has 'mine.yaml' before them", ""),
        ("python -c 'import os'", "has 'import os' before them", ""),
        ("--speaker='open", "cannot be read (No closing quotation)", ""),
        ("lora_r: [1, 2]", "Rank (lora_r) is [1, 2]; it must be a whole number", "lora_r"),
        ("system_prompt: [Be kind]", "system_prompt holds several values", "system_prompt"),
        ("system_prompt: yes", "system_prompt is True, which is no text", "system_prompt"),
        (
            "learning_rate: .nan",
            "Learning rate (learning_rate) is nan; it must be a number",
            "learning_rate",
        ),
        ("a: !!python/object/apply:os.system ['true']", "nor valid YAML (line 1)", ""),
        ("lora_r: 3\n bad: : x", "nor valid YAML (line 2)", ""),
        ("[" * 5000, "nor valid YAML", ""),
        ("just words", "holds no options", ""),
        ("", "holds no options", ""),
        ("x" * 100_001, "has 100,001 characters", ""),
    ],
)
def test_what_cannot_be_read_is_a_sentence(text, sentence, field):
    with pytest.raises(UserError) as raised:
        from_text(text)
    assert sentence in raised.value.sentence.en
    assert raised.value.sentence.zh
    assert raised.value.field == field


def test_a_pasted_text_and_a_file_are_read_in_one_way(tmp_path):
    """Lists of questions, of modules and of GPUs become what the form has for them."""
    text = """
sample_prompts:
  - Who are you?
  - What is, at sea, the light?
lora_target_modules: [q_proj, v_proj]
gpu_ids: [0, 1]
"""
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    expected = TrainConfig(
        sample_prompts="Who are you?\nWhat is, at sea, the light?",
        lora_target_modules="q_proj,v_proj",
        gpu_ids="0,1",
    )
    assert from_text(text) == expected
    assert config_of(_parser().parse_args(["train", str(file)])) == expected
