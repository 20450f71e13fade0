"""What a command line asks for: a recipe, the file over it, the flags over both."""

import argparse

import pytest

from engine import recipes
from engine.commands.asked import add_options, config_of
from engine.config import TrainConfig, default_config
from engine.errors import UserError


def asked(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument("target", nargs="?")
    add_options(parser)
    return config_of(parser.parse_args(list(map(str, words))))


def test_without_anything_it_is_sprout():
    assert asked() == default_config()


@pytest.mark.parametrize("version", ["tutorial", "today"])
def test_a_recipe_in_either_version(version):
    flags = ["--today"] if version == "today" else []
    wanted = recipes.get("chatglm3-qlora").config(version)
    assert asked("--recipe", "chatglm3-qlora", *flags) == wanted
    assert asked("--recipe", "qwen3-4b") == recipes.get("qwen3-4b").config("today")


def test_the_file_lies_over_the_recipe_and_the_flags_over_both(tmp_path):
    """Only what the file names; without a recipe it stands on the plain defaults, as ever."""
    file = tmp_path / "mine.yaml"
    file.write_text("lora_r: 5\nlora_alpha: 7\n")
    config = asked(file, "--recipe", "chatglm3-qlora", "--lora_alpha", "9")
    assert (config.lora_r, config.lora_alpha, config.load_in_4bit) == (5, 9, True)
    assert asked(file) == TrainConfig(lora_r=5, lora_alpha=7)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--recipe", "nope"], "There is no recipe 'nope'; known are sprout, "),
        (["--today"], "--today is a version of a recipe; name one"),
    ],
)
def test_what_cannot_be_is_a_sentence(words, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        asked(*words)
    assert raised.value.field == "recipe"
