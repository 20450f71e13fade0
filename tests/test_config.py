"""The options: their names are kept, their values coerced, their ranges said."""

import argparse
import dataclasses
import datetime

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import GROUPS, TrainConfig, default_config
from engine.errors import UserError
from engine.options.combinations import impossible
from engine.options.declare import add_flags, choices, field_names, markdown_table

# Saved runs and other programs rely on these names. Renaming one breaks them: think twice, then
# change this list with the code.
NAMES = [
    *("dataset", "model_name_or_path", "load_in_4bit", "system_prompt", "num_train_epochs"),
    *("learning_rate", "max_length", "lora_r", "per_device_train_batch_size"),
    *("peft_type", "lora_alpha", "lora_dropout", "lora_target_modules", "use_rslora", "use_dora"),
    *("init_lora_weights", "loraplus_lr_ratio", "num_virtual_tokens", "prompt_tuning_init_text"),
    *("encoder_hidden_size", "adapter_len", "adapter_layers", "oft_block_size"),
    *("loss_on", "chat_template", "packing", "mapping", "speaker"),
    *("eval_size", "eval_dataset", "sample_prompts"),
    *("max_steps", "gradient_accumulation_steps", "early_stopping_patience", "stop_at_loss"),
    *("lr_scheduler_type", "warmup_steps", "optim", "weight_decay", "neftune_noise_alpha"),
    *("max_grad_norm", "seed", "load_in_8bit", "bnb_4bit_quant_type"),
    *(
        "bnb_4bit_use_double_quant",
        "dtype",
        "device_map",
        "gradient_checkpointing",
        "gradient_checkpointing_layers",
        "auto_find_batch_size",
        "gpu_ids",
        "distributed_type",
        "logging_steps",
    ),
    *("eval_steps", "save_steps", "save_total_limit", "load_best_model_at_end"),
]


def test_the_names_are_kept():
    assert field_names(TrainConfig) == NAMES


def test_every_option_has_its_words_in_both_languages():
    for one in dataclasses.fields(TrainConfig):
        words = one.metadata
        assert all([*words["label"], *words["help"]]), one.name
        assert words["group"] in GROUPS
        assert one.type in (str, bool) or choices(one) or words["low"] < words["high"], one.name


def test_the_plain_group_stays_small():
    plain = [one for one in dataclasses.fields(TrainConfig) if one.metadata["group"] == "basic"]
    assert len(plain) <= 9


def test_the_defaults_have_no_problem():
    assert TrainConfig().problems() == {}
    assert default_config().problems() == {}
    assert default_config("other/model") == TrainConfig(model_name_or_path="other/model")


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("learning_rate", "2e-4", 2e-4),  # PyYAML reads it as text
        ("learning_rate", 1, 1.0),
        ("lora_r", 16.0, 16),  # a form sends whole numbers as float
        ("lora_r", "8", 8),
        ("load_in_4bit", "True", True),
        ("load_in_4bit", "false", False),
        ("load_in_4bit", 1, True),
        ("system_prompt", None, ""),
        ("system_prompt", 7, "7"),
        ("sample_prompts", ["Who are you?", "Why?"], "Who are you?\nWhy?"),
        ("sample_prompts", [], ""),
        ("lora_target_modules", ["q_proj", "v_proj"], "q_proj,v_proj"),
        ("gpu_ids", [0, 1], "0,1"),
    ],
)
def test_values_become_the_declared_type(name, given, value):
    got = getattr(TrainConfig.from_dict({name: given}), name)
    assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("lora_r", "2.5", "Rank (lora_r) is '2.5'; it must be a whole number."),
        ("lora_r", float("nan"), "Rank (lora_r) is nan; it must be a whole number."),
        ("lora_r", float("inf"), "Rank (lora_r) is inf; it must be a whole number."),
        ("lora_r", [1], "Rank (lora_r) is [1]; it must be a whole number."),
        ("learning_rate", "fast", "Learning rate (learning_rate) is 'fast'; it must be a number."),
        ("lora_r", True, "Rank (lora_r) is True; it must be a whole number."),
        ("learning_rate", None, "Learning rate (learning_rate) is empty; it must be a number."),
        ("lora_r", "", "Rank (lora_r) is empty; it must be a whole number."),
        (
            "learning_rate",
            float("nan"),
            "Learning rate (learning_rate) is nan; it must be a number.",
        ),
        ("load_in_4bit", [], "4-bit base (QLoRA) (load_in_4bit) is []; it must be true or false."),
        ("load_in_4bit", 2, "4-bit base (QLoRA) (load_in_4bit) is 2; it must be true or false."),
        (
            "load_in_4bit",
            None,
            "4-bit base (QLoRA) (load_in_4bit) is empty; it must be true or false.",
        ),
        ("packing", [0], "Packing (packing) is [0]; it must be true or false."),
        (
            "mapping",
            {"question": "user"},
            "mapping holds several values; it is one text, so put it in quotation marks.",
        ),
        (
            "system_prompt",
            True,
            "system_prompt is True, which is no text: YAML reads yes, no, on, off, true, false and "
            'dates so. Put it in quotation marks, such as "yes".',
        ),
        (
            "sample_prompts",
            ["Hi", datetime.date(2026, 1, 2)],
            "sample_prompts is 2026-01-02, which is no text: YAML reads yes, no, on, off, true, "
            'false and dates so. Put it in quotation marks, such as "yes".',
        ),
        ("packing", "maybe", "Packing (packing) is 'maybe'; it must be true or false."),
        (
            "system_prompt",
            "hi\udcff",
            "system_prompt holds '\\udcff', half a character: it was not written in UTF-8. "
            "Write it anew.",
        ),
        (
            "sample_prompts",
            ["Hi", "\ud800?"],
            "sample_prompts holds '\\ud800', half a character: it was not written in UTF-8. "
            "Write it anew.",
        ),
    ],
)
def test_values_of_another_type_are_sentences(name, given, sentence):
    with pytest.raises(UserError) as raised:
        TrainConfig.from_dict({name: given})
    assert (str(raised.value), raised.value.field) == (sentence, name)
    label = TrainConfig.__dataclass_fields__[name].metadata["label"].zh
    if "; it must be " in sentence:
        starts = (f"{label}（{name}）是",)
    else:
        starts = (f"{name} 是", f"{name} 有多个值", f"{name} 里有 ")
    assert raised.value.sentence.zh.startswith(starts)


def test_an_unknown_option_is_asked_back():
    with pytest.raises(UserError) as raised:
        TrainConfig.from_dict({"learningrate": 1})
    assert str(raised.value) == (
        "There is no option called 'learningrate'. Did you mean learning_rate? "
        "The README lists them all."
    )
    assert raised.value.field == "learningrate"
    with pytest.raises(UserError, match="called 'zzz'. The README"):
        TrainConfig.from_dict({"zzz": 1})


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("cutoff_len", "max_length"),
        ("finetuning_type", "peft_type"),
        ("quantization_bit", "load_in_4bit"),
        ("micro_batch_size", "per_device_train_batch_size"),  # not auto_find_batch_size
        ("deepspeed", "distributed_type"),  # not seed
        ("pre_seq_len", "num_virtual_tokens"),
        ("bf16", "dtype"),
        ("lora_rank", "lora_r"),
    ],
)
def test_a_name_of_another_program_is_known(name, option):
    with pytest.raises(UserError, match=f"called '{name}'. Did you mean {option}\\?"):
        TrainConfig.from_dict({name: 1})


def test_no_name_of_another_program_is_an_option_or_stands_for_two():
    names = [name for one in dataclasses.fields(TrainConfig) for name in one.metadata["elsewhere"]]
    assert len(set(names)) == len(names)
    assert not set(names) & set(NAMES)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", -1.0),
        ("learning_rate", 0.0),
        ("learning_rate", 1.1),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("num_train_epochs", float("-inf")),
        ("eval_size", 1_000_001),
        ("lora_r", 0),
        ("lora_r", 1025),
        ("max_length", 7),
        ("seed", 2**31),
        ("save_total_limit", 0),
    ],
)
def test_out_of_range_is_said_under_its_field(name, value):
    problems = TrainConfig(**{name: value}).problems()
    assert list(problems) == [name]
    assert f"({name}) is {value:,.10g}; it must lie between" in problems[name].en
    assert name in problems[name].zh


def test_numbers_are_said_as_people_write_them():
    problem = TrainConfig(seed=2**31, learning_rate=2.0).problems()
    assert problem["seed"].en == (
        "Seed (seed) is 2,147,483,648; it must lie between 0 and 2,147,483,647."
    )
    assert problem["learning_rate"].en == (
        "Learning rate (learning_rate) is 2; it must lie between 1e-08 and 1."
    )


def test_a_field_that_is_not_seen_stops_nothing():
    """The form hides Alpha beside full fine-tuning; nobody could mend it there."""
    hidden = {"lora_alpha": -3, "lora_r": 0, "init_lora_weights": "x", "oft_block_size": 0}
    assert TrainConfig(peft_type="full", **hidden).problems() == {}
    assert list(TrainConfig(**hidden).problems()) == ["lora_r", "lora_alpha", "init_lora_weights"]


@pytest.mark.parametrize("one", dataclasses.fields(TrainConfig), ids=lambda one: one.name)
def test_the_ends_of_a_range_are_allowed(one):
    for end in ("low", "high"):
        if one.metadata[end] is not None:
            assert TrainConfig(**{one.name: one.metadata[end]}).problems() == {}


def test_a_choice_that_is_none_names_the_choices():
    problem = TrainConfig(optim="adam").problems()["optim"]
    assert problem.en.endswith(
        "is 'adam'; choose one of adamw_torch_fused, adamw_torch, adamw_8bit, paged_adamw_8bit, "
        "paged_adamw_32bit, lion_8bit, adafactor, sgd."
    )


def test_4_bit_and_8_bit_at_once():
    problems = TrainConfig(load_in_4bit=True, load_in_8bit=True).problems()
    assert list(problems) == ["load_in_8bit"]
    assert "4-bit and 8-bit at once" in problems["load_in_8bit"].en


@pytest.mark.parametrize("gpu_ids", ["", "0", "0,1", "3, 1", "all"])
def test_gpus_as_they_may_be_written(gpu_ids):
    assert TrainConfig(gpu_ids=gpu_ids).problems() == {}


@pytest.mark.parametrize("gpu_ids", ["cuda:0", "0,0", "0,", "-1", "ALL", "1.5", "9" * 10])
def test_gpus_as_they_may_not_be_written(gpu_ids):
    problems = TrainConfig(gpu_ids=gpu_ids).problems()
    assert list(problems) == ["gpu_ids"]
    assert problems["gpu_ids"].en.startswith(f"GPUs (gpu_ids) is {gpu_ids!r}; write numbers")


def value_of(one):
    if choices(one):
        return st.sampled_from(choices(one))
    if one.type is bool:
        return st.booleans()
    if one.type is str:
        return st.text(st.characters(exclude_categories=["Cs"]))
    low, high = one.metadata["low"], one.metadata["high"]
    return st.integers(low, high) if one.type is int else st.floats(low, high)


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({one.name: value_of(one) for one in dataclasses.fields(TrainConfig)}))
def test_yaml_there_and_back_is_the_same(tmp_path_factory, values):
    """All characters but NEL (U+0085), which PyYAML reads back as a line break."""
    config = TrainConfig(**values)
    path = tmp_path_factory.mktemp("yaml") / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert TrainConfig.from_yaml(path) == config
    assert config.problems().keys() <= impossible(config).keys() | {"gpu_ids"}


def test_yaml_is_read_by_people(tmp_path):
    text = TrainConfig(system_prompt="你好").to_yaml()
    assert "system_prompt: 你好\n" in text
    assert list(yaml.safe_load(text)) == NAMES


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no options"),
        (b"- lora_r\n", "holds no options"),
        (b"lora_r: [1\n", "is not valid YAML"),
        (b"\xff\xfe\x00", "cannot be read (UnicodeDecodeError)"),
        (b"a: !!python/object/apply:os.getcwd []\n", "is not valid YAML"),
        (b"lora_rr: 1\n", "Did you mean lora_r?"),
        (b"1: 2\n", "There is no option called"),
        (b"lora_r: 8\n'lora_r': 8\n", "lora_r stands twice; leave one of the two out."),
        (b"[" * 5000, "is not valid YAML"),
        (b"lora_r: " + b"9" * 5000, "is not valid YAML"),
    ],
)
def test_a_yaml_file_that_is_wrong_is_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        TrainConfig.from_yaml(path)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_yaml_lays_under_an_option_does_not_stand_twice(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("<<: {lora_r: 8, seed: 1}\nlora_r: 64\n")
    assert TrainConfig.from_yaml(path) == TrainConfig(lora_r=64, seed=1)


def test_a_yaml_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match=r"none.yaml cannot be read \(FileNotFoundError\)"):
        TrainConfig.from_yaml(tmp_path / "none.yaml")


def test_changed_names_what_differs():
    assert TrainConfig(lora_r=3, seed=1).changed(TrainConfig(seed=1)) == ["lora_r"]


def test_every_option_is_a_flag():
    parser = argparse.ArgumentParser()
    add_flags(parser, TrainConfig)
    options = parser.parse_args(["--learning_rate", "2e-4", "--lora_r", "8"])
    given = {name: value for name, value in vars(options).items() if value is not None}
    assert given == {"learning_rate": "2e-4", "lora_r": "8"}
    assert list(vars(options)) == NAMES
    with pytest.raises(
        UserError, match="^lora_r stands twice; leave one of the two out.$"
    ) as raised:
        parser.parse_args(["--lora_r", "8", "--seed=1", "--lora_r=8"])
    assert raised.value.sentence.zh == "lora_r 写了两次；请去掉一个。"


def test_the_readmes_table_has_a_row_an_option():
    for language in ("en", "zh"):
        rows = markdown_table(TrainConfig, language).splitlines()[2:]
        assert [row.split("`")[1] for row in rows] == NAMES
    assert "| `lora_r` | `16` | 1 to 1,024 | Rank: how much room the adapter has |" in (
        markdown_table(TrainConfig)
    )
