"""Recipes: their options are the engine's, and each of them runs on its own kind of model."""

import dataclasses
import json
import re
import signal
from pathlib import Path

import pytest

from engine import recipes
from engine.chat.voices import BASE, Voices
from engine.config import TrainConfig, default_config
from engine.dataset.making.convert import convert
from engine.dataset.opened import conversations
from engine.errors import Sentence, UserError
from engine.export import check
from engine.export.exporting import export
from engine.export.source import find
from engine.models.load import Quantization
from engine.training import runs
from engine.training.train import train
from tests.tiny_bases import write_base

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = [
    "chatglm-alpaca",
    "chatglm3-qlora",
    "chatglm3-style",
    "falcon-instruct",
    "llama2-chinese",
    "qwen-roleplay-4bit",
    "qwen-roleplay-8bit",
]
TODAY = [
    *("gemma-3-1b", "gemma-3-4b", "glm-4-9b", "llama-32-3b", "qwen3-06b", "qwen3-4b", "qwen3-8b"),
    *("smollm2-17b", "smollm2-360m"),
]
ROWS = [
    {"instruction": f"so you {word}", "input": "hi" if word == "ab" else "", "output": f"{word} so"}
    for word in ("ab", "hi", "people", "you", "le", "op")
]
# What a row of the tutorial's data looks like before it is learned.
FORMATS = {"chatglm-alpaca": "context-target", "chatglm3-style": "prompt-completion"}
# Sizes for a tiny model on a processor: it has neither half precision nor paged optimisers.
SMALL = {"max_steps": 2, "max_length": 320, "per_device_train_batch_size": 2, "eval_size": 0.0}
SMALL |= {"gradient_accumulation_steps": 1, "dtype": "auto", "optim": "adamw_torch"}


def test_the_list_is_that_of_the_issue():
    """Sprout's first, the seven tutorials in two versions, today's in one."""
    listed = {one.id: one.versions for one in recipes.list_recipes()}
    both = dict.fromkeys(TUTORIALS, ("tutorial", "today"))
    assert listed == {"sprout": ("today",)} | both | dict.fromkeys(TODAY, ("today",))
    assert list(listed) == ["sprout", *TUTORIALS, *TODAY]


@pytest.mark.parametrize("one", recipes.list_recipes(), ids=lambda one: one.id)
def test_every_option_is_known_and_goes_with_the_others(one):
    """A tutorial's two versions differ in what they say that they differ in, and say why."""
    assert one.problems() == {}
    words = [one.title, one.source, one.data, one.gpu, *([one.why] if one.today else [])]
    assert all(len(words_of) == 2 and all(words_of) for words_of in words)
    assert set(one.changes()) == set(one.today)
    assert (one.why is None) == (not one.today)
    assert one.config("today").model_name_or_path == one.options["model_name_or_path"]


def test_sprouts_is_what_the_page_starts_with():
    assert recipes.get("sprout").config("today") == default_config()


def test_the_tutorials_as_they_are_known():
    """What the issue names of them, and nothing that their own code would have done otherwise."""
    named = {
        "chatglm3-qlora": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
        "chatglm-alpaca": {"lora_r": 8, "load_in_8bit": True, "max_length": 200},
        "falcon-instruct": {"lora_r": 8, "lora_alpha": 32, "loss_on": "everything"}
        | {"lora_target_modules": "query_key_value", "chat_template": "instruction"},
        "qwen-roleplay-8bit": {"load_in_8bit": True, "max_length": 384, "lora_dropout": 0.1},
        "qwen-roleplay-4bit": {"load_in_4bit": True, "bnb_4bit_use_double_quant": True}
        | {"lora_target_modules": "c_attn, c_proj, w1, w2", "lora_r": 8, "lora_alpha": 32},
    }
    for name, options in named.items():
        config = recipes.get(name).config("tutorial").to_dict()
        assert {option: config[option] for option in options} == options, name
    assert recipes.get("llama2-chinese").generation == {
        **{"temperature": 0.3, "top_p": 0.95},
        **{"top_k": 50, "repetition_penalty": 1.3},
    }
    assert recipes.get("chatglm3-style").generation["temperature"] == 0
    assert recipes.get("qwen-roleplay-4bit").config("tutorial").system_prompt


def test_what_is_not_there_is_a_sentence():
    with pytest.raises(UserError, match="no recipe '../sprout'; known are sprout, ch") as raised:
        recipes.get("../sprout")
    assert (raised.value.field, "没有配方" in raised.value.sentence.zh) == ("recipe", True)
    with pytest.raises(UserError, match="qwen3-4b has no version 'tutorial'; it has today"):
        recipes.get("qwen3-4b").config("tutorial")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"options": {"lora_rank": 8}}, "no option called 'lora_rank'"),
        ({"today": {"lora_rank": 8}}, "no option called 'lora_rank'"),
        ({"generation": {"temprature": 1}}, "no sampling setting 'temprature'"),
    ],
)
def test_a_recipe_that_names_what_does_not_exist_is_found(changes, error):
    wrong = dataclasses.replace(recipes.get("chatglm3-qlora"), **changes)
    with pytest.raises(UserError, match=error):
        wrong.problems()


def test_a_recipe_with_an_option_out_of_range_says_so():
    wrong = dataclasses.replace(recipes.get("qwen3-4b"), options={"lora_r": 0, "load_in_8bit": 1})
    assert {name: type(one) for name, one in wrong.problems().items()} == {"lora_r": Sentence}


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """train() sets SIGTERM's handler, which is right for a process of its own; its look back at
    what was learned has tests of its own."""
    monkeypatch.setattr("engine.training.train.look_back", lambda *args: None)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def base_of(tmp_path_factory, tokenizer):
    """The tiny base of a name, written once."""
    home, written = tmp_path_factory.mktemp("bases"), {}

    def base_of(name):
        if name not in written:
            written[name] = write_base(home / name.replace("/", "-"), name, tokenizer)
        return written[name]

    return base_of


@pytest.fixture(scope="module")
def alpaca(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "alpaca.json"
    file.write_text(json.dumps(ROWS, ensure_ascii=False), encoding="utf-8")
    return file


def run_of(config: TrainConfig):
    path = runs.create(config)
    assert train(path) == 0, runs.get(path.name).message.en
    return path


def heard(base, adapter, config, generation):
    """Checksums of both voices' answers, all of it loaded anew, and the prompt of the tuned one."""
    quantization = Quantization(config.load_in_4bit, config.load_in_8bit)
    voices = Voices.load(str(base), [str(adapter)], quantization)
    turns = [{"role": "user", "content": "so you hi"}]
    if config.system_prompt:
        turns = [{"role": "system", "content": config.system_prompt}, *turns]
    settings = generation | {"max_new_tokens": 3}
    *_, last = voices.answer(dict.fromkeys(voices.names, turns), **settings)
    assert voices.base_check["same"]
    return {name: one["checksum"] for name, one in last.items()}, last["adapter"]["prompt"]


RUNS = [(name, version) for name in TUTORIALS for version in ("tutorial", "today")]
RUNS += [(name, "today") for name in ("gemma-3-1b", "gemma-3-4b", "glm-4-9b", "llama-32-3b")]
RUNS += [(name, "today") for name in ("qwen3-06b", "qwen3-4b", "smollm2-360m")]


@pytest.fixture
def done(base_of, alpaca, tmp_path):
    """done(recipe, version, ..): the base, the config, and the folder of a run of two steps on data
    converted to what that tutorial reads."""

    def done(recipe, version, **changes):
        base = base_of(recipe.options["model_name_or_path"])
        data = tmp_path / "data.jsonl"
        convert(conversations(alpaca, "", ""), FORMATS.get(recipe.id, "alpaca"), data)
        own = {"model_name_or_path": str(base), "dataset": str(data)}
        config = dataclasses.replace(recipe.config(version), **(SMALL | own | changes))
        return base, config, run_of(config)

    return done


@pytest.mark.parametrize(("name", "version"), RUNS)
def test_it_runs_on_its_own_kind_of_model(name, version, done):
    """Its data is converted, two steps are taken, the adapter is saved, loaded anew and heard."""
    recipe = recipes.get(name)
    base, config, path = done(recipe, version)
    metrics = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert [one["step"] for one in metrics if "loss" in one] == [1, 2]
    assert json.loads((path / "dataset.json").read_text())["train_rows"] == len(ROWS)
    checksums, prompt = heard(base, path / "adapter", config, recipe.generation)
    assert checksums["adapter"] != checksums[BASE]
    asked = "### Instruction:\nso you hi\n\n### Response:\n"
    assert (prompt == asked) == (name == "falcon-instruct")


@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("chatglm-alpaca", 0),
        ("chatglm3-qlora", 8),
        ("falcon-instruct", 0),
        ("falcon-instruct", 8),
        ("llama2-chinese", 8),
        ("qwen-roleplay-4bit", 0),
    ],
)
def test_the_ways_of_storing_that_no_recipe_names(name, bits, done):
    """Beside those above: so each of the tutorials' bases is trained plain, in 8 and in 4 bits."""
    stored = {"load_in_4bit": False, "load_in_8bit": bits == 8}
    base, config, path = done(recipes.get(name), "today", **stored)
    checksums, _ = heard(base, path / "adapter", config, {})
    assert checksums["adapter"] != checksums[BASE]


@pytest.mark.parametrize(
    "name",
    ["chatglm-alpaca", "chatglm3-qlora", "falcon-instruct", "llama2-chinese", "qwen-roleplay-4bit"],
)
def test_what_it_learned_leaves_merged(name, done, tmp_path, monkeypatch):
    """Into full precision, and what was written is found equal to base and adapter together."""
    monkeypatch.setattr(check, "ANSWER_TOKENS", 5)
    _, _, path = done(recipes.get(name), "today", learning_rate=0.02)
    *_, last = export(find(str(path / "adapter")), "merged", tmp_path / "out", dtype="float32")
    found = last["result"]["check"]
    assert (found["passed"], found["equal_answers"]) == (True, found["prompts"])
    assert found["largest_difference"] < 1e-3 < found["from_base"]


def test_the_table_of_the_docs_names_tests_that_exist():
    """And every recipe of a tutorial."""
    page = (ROOT / "docs" / "tutorials.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) >= 9
    for file, test in named:
        assert f"\ndef {test}(" in (ROOT / file).read_text(encoding="utf-8"), test
    assert [name for name in TUTORIALS if f"`{name}`" not in page] == []
