"""What a run trains on: the split, the counts, and the steps that follow."""

import hashlib
import json

import pytest

from engine.config import TrainConfig
from engine.errors import UserError
from engine.training.data import foresee, prepare, steps


def config(path, **changes):
    return TrainConfig(dataset=str(path), packing=False, **changes)


def rows_of(prepared):
    parts = prepared.train, prepared.evaluation
    return [[tuple(one["input_ids"].tolist()) for one in part] for part in parts]


@pytest.fixture
def rows():
    return [{"prompt": f"Say {n}.", "response": f"It is {n}."} for n in range(40)]


def test_the_same_seed_keeps_the_same_rows_back(tmp_path, write_rows, rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", rows)
    first = prepare(config(file, eval_size=0.25), tokenizer)
    again = prepare(config(file, eval_size=0.25), tokenizer)
    other = prepare(config(file, eval_size=0.25, seed=1), tokenizer)
    assert rows_of(first) == rows_of(again)
    assert rows_of(first)[1] != rows_of(other)[1]
    texts = sum(rows_of(first), [])
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
    assert raised.value.sentence.en.endswith('; raise "Longest row, tokens" (max_length).')
    assert raised.value.sentence.zh.endswith("请调大“最长一条（token）”（max_length）。")


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
        together = [
            sorted(sum((one[name].tolist() for one in p.train), [])) for p in (alone, packed)
        ]
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


def test_a_second_file_is_the_validation(tmp_path, write_rows, rows, tokenizer):
    """All rows of the first are trained on, whatever share is named; both files are remembered."""
    file = write_rows(tmp_path / "a.jsonl", rows)
    second = write_rows(tmp_path / "b.jsonl", [{"question": "Who?", "answer": "Nobody."}])
    prepared = prepare(config(file, eval_dataset=str(second), eval_size=0.5), tokenizer)
    assert (len(prepared.train), len(prepared.evaluation)) == (40, 1)
    ids = prepared.evaluation[0]["input_ids"]
    assert "Nobody." in tokenizer.decode(ids)
    digest = hashlib.sha256(second.read_bytes()).hexdigest()
    assert (prepared.facts["eval_file"], prepared.facts["eval_sha256"]) == ("b.jsonl", digest)
    assert (prepared.facts["train_rows"], prepared.facts["eval_rows"]) == (40, 1)


def test_a_second_file_is_read_as_the_first(tmp_path, tokenizer):
    """Columns that nobody knows, chosen by hand for the first: those that the second has too go for
    it, in the run and in what is foretold of it; without them it is read by its own names."""
    for name, text in {
        "odd.csv": "alpha,beta,mood\nHi,Yes.,kind\nHo,No.,dry\n",
        "oddval.csv": "alpha,beta\nHa,Maybe.\n",
        "own.csv": "question,answer\nHu,Never.\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    read_as = {"mapping": "alpha=user, beta=assistant, mood=system"}
    for second, answer in (("oddval.csv", "Maybe."), ("own.csv", "Never.")):
        asked = config(tmp_path / "odd.csv", eval_dataset=str(tmp_path / second), **read_as)
        prepared = prepare(asked, tokenizer)
        assert (len(prepared.train), len(prepared.evaluation)) == (2, 1)
        assert answer in tokenizer.decode(prepared.evaluation[0]["input_ids"])
        assert foresee(asked, tokenizer).facts == prepared.facts


def test_a_bad_second_file_is_told_at_its_own_field(tmp_path, write_rows, rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", rows)
    with pytest.raises(UserError, match="There is no dataset 'nowhere'") as raised:
        prepare(config(file, eval_dataset="nowhere"), tokenizer)
    assert raised.value.field == "eval_dataset"


def test_a_file_with_its_own_parts_validates_on_them(tmp_path, rows, tokenizer):
    file = tmp_path / "parts.json"
    file.write_text(json.dumps({"train": rows[:30], "valid": rows[30:35]}), encoding="utf-8")
    prepared = prepare(config(file, eval_size=0.4), tokenizer)
    assert (len(prepared.train), len(prepared.evaluation)) == (30, 5)


def test_a_count_of_rows_is_kept_back(tmp_path, write_rows, rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", rows)
    prepared = prepare(config(file, eval_size=7), tokenizer)
    assert (len(prepared.train), len(prepared.evaluation)) == (33, 7)


def test_chosen_columns_are_trained_on(tmp_path, write_rows, tokenizer):
    file = write_rows(tmp_path / "a.jsonl", [{"x": "Hi", "y": "Yes."}] * 3)
    prepared = prepare(config(file, mapping="x=user, y=assistant"), tokenizer)
    assert len(prepared.train) == 3
    assert prepared.facts["mapping"] == {"x": "user", "y": "assistant"}


def test_the_plan_is_what_is_prepared(tmp_path, write_rows, rows, tokenizer):
    """The estimate's way, which encodes nothing twice, comes to the same packs and facts."""
    file = write_rows(tmp_path / "a.jsonl", rows)
    asked = TrainConfig(dataset=str(file), max_length=64, eval_size=0.2)
    planned, prepared = foresee(asked, tokenizer), prepare(asked, tokenizer)
    assert planned.facts == prepared.facts
    assert len(planned.train) == len(prepared.train)
    assert len(planned.evaluation) == len(prepared.evaluation)
    assert planned.lengths.tolist() == prepared.train.lengths.tolist()
    assert prepared.train.lengths.tolist() == [len(one["input_ids"]) for one in prepared.train]
