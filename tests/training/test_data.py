"""What a run trains on: the split, the counts, and the steps that follow."""

import hashlib

import pytest

from engine.config import TrainConfig
from engine.errors import UserError
from engine.training.data import prepare, steps


def config(path, **changes):
    return TrainConfig(dataset=str(path), packing=False, **changes)


@pytest.fixture
def rows():
    return [{"prompt": f"Say {n}.", "response": f"It is {n}."} for n in range(40)]


def test_the_same_seed_keeps_the_same_rows_back(tmp_path, write_rows, rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", rows)
    first = prepare(config(file, eval_size=0.25), tokenizer)
    again = prepare(config(file, eval_size=0.25), tokenizer)
    other = prepare(config(file, eval_size=0.25, seed=1), tokenizer)
    assert first == again
    assert first.evaluation != other.evaluation
    texts = [tuple(one["input_ids"]) for one in first.train + first.evaluation]
    assert (len(first.train), len(first.evaluation), len(set(texts))) == (30, 10, 40)


@pytest.mark.parametrize(("count", "kept_back"), [(9, 0), (10, 1), (14, 1), (16, 2)])
def test_fewer_than_ten_rows_are_all_trained_on(
    tmp_path, write_rows, rows, tokenizer, count, kept_back
):
    prepared = prepare(config(write_rows(tmp_path / "a.jsonl", rows[:count])), tokenizer)
    assert (len(prepared.train), len(prepared.evaluation)) == (count - kept_back, kept_back)


def test_the_facts_count_every_row_and_say_why_some_are_left_out(tmp_path, write_rows, tokenizer):
    """Row 2 has no answer; row 3's answer lies beyond the longest row; row 4's end is cut."""
    file = write_rows(
        tmp_path / "a.jsonl",
        [
            {"prompt": "Hi", "response": "Hi"},
            {"prompt": "Hi", "response": ""},
            {"prompt": "Hi " * 20, "response": "Hi"},
            {"prompt": "Hi", "response": "Hi " * 20},
            {"other": 1},
        ],
    )
    prepared = prepare(config(file, max_length=16), tokenizer)
    facts = prepared.facts
    assert facts["dropped"] == [
        {"reason": "it has no answer", "reason_zh": "没有回答", "rows": 1},
        {"reason": "its columns are not known", "reason_zh": "列名无法识别", "rows": 1},
        {
            "reason": "nothing to learn in it within the longest row",
            "reason_zh": "在最大长度内没有可学的内容",
            "rows": 1,
        },
    ]
    assert (facts["rows"], facts["train_rows"], facts["eval_rows"]) == (5, 2, 0)
    assert facts["truncated_rows"] == 2
    assert facts["format"] == "pairs"
    assert facts["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    lengths = [len(one["input_ids"]) for one in prepared.train]
    assert facts["train_tokens"] == sum(lengths)
    learned = sum(label != -100 for one in prepared.train for label in one["labels"])
    assert facts["learned_tokens"] == learned


def test_nothing_left_is_a_sentence_under_max_length(tmp_path, write_rows, rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", rows)
    with pytest.raises(UserError, match="No row has anything to learn within 8 tokens") as raised:
        prepare(config(file, max_length=8, system_prompt="Be kind. " * 9), tokenizer)
    assert raised.value.field == "max_length"


def test_packing_keeps_every_token(tmp_path, write_rows, rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", rows)
    alone = prepare(config(file, eval_size=0.0), tokenizer)
    packed = prepare(
        TrainConfig(dataset=str(file), packing=True, eval_size=0.0, max_length=64), tokenizer
    )
    assert packed.facts == alone.facts
    assert len(packed.train) < len(alone.train)
    assert max(len(one["input_ids"]) for one in packed.train) <= 64
    for name in ("input_ids", "labels", "position_ids"):
        together = [sorted(sum((one[name] for one in p.train), [])) for p in (alone, packed)]
        assert together[0] == together[1]


@pytest.mark.parametrize(
    ("options", "sequences", "expected"),
    [
        ({"num_train_epochs": 3, "per_device_train_batch_size": 4}, 9, 9),
        ({"num_train_epochs": 0.5, "per_device_train_batch_size": 4}, 9, 2),
        ({"num_train_epochs": 0.01, "per_device_train_batch_size": 4}, 9, 1),
        ({"num_train_epochs": 2, "gradient_accumulation_steps": 2}, 17, 6),
        ({"max_steps": 7, "num_train_epochs": 100}, 9, 7),
    ],
)
def test_steps_exactly(options, sequences, expected):
    assert steps(TrainConfig(**options), sequences) == expected
