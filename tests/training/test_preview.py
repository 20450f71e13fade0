"""What the page shows of a row is what the trainer gets of it: same tokens, same labels."""

import random

import pytest

from engine.config import TrainConfig
from engine.dataset.inspect import one_row
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.packing import Collator
from engine.dataset.reading.read import read_table
from engine.dataset.tokens import encode
from engine.library import list_datasets, resolve
from engine.training.data import prepare
from engine.training.loop import PackedTrainer, arguments

SAMPLES = [one.id for one in list_datasets() if one.is_sample]
OPTIONS = {
    "whole": {"max_length": 256, "loss_on": "answers", "system_prompt": ""},
    "cut": {"max_length": 40, "loss_on": "last_answer", "system_prompt": "You are kind. 你好。"},
}


def encoded(dataset, tokenizer, options):
    """Rows that can be learned from, as the preview makes them: [(input_ids, labels)]."""
    table = read_table(resolve(dataset))
    found = to_conversations(table)
    rows = [encode(tokenizer, one, **options) for one in found.conversations]
    return [(row.input_ids, row.labels) for row in rows if row.learned]


def unpacked(batch):
    """The rows that lie in a collated batch; each begins where the positions begin anew."""
    rows = []
    columns = (batch[name].tolist() for name in ("input_ids", "labels", "position_ids"))
    for ids, labels, positions in zip(*columns, strict=True):
        begins = [i for i, position in enumerate(positions) if position == 0]
        for begin, end in zip(begins, [*begins[1:], len(ids)], strict=True):
            if set(labels[begin:end]) != {-100}:  # else it is the padding
                rows.append((ids[begin:end], labels[begin:end]))
    return rows


def generated(number):
    """A conversation of its own for each number: turns, languages, tools, system prompts, text."""
    rng = random.Random(number)

    def said():
        words = ["Hello", "fog", "灯塔", "😀", "{y}", "<b>", "\n", "don't", "1,234", "好。", "é"]
        return " ".join(rng.choices(words, k=rng.randint(1, 9))) + "."

    if number % 10 == 9:
        return {"text": said()}
    messages = [{"role": "system", "content": said()}] if number % 3 == 0 else []
    for _ in range(rng.randint(1, 4)):
        messages += [{"role": "user", "content": said()}]
        if number % 7 == 0:
            call = {"name": "find", "arguments": {"what": said()}}
            messages += [
                {"role": "assistant", "content": "", "tool_calls": [{"function": call}]},
                {"role": "tool", "content": said()},
            ]
        messages += [{"role": "assistant", "content": said()}]
    tools = {"tools": [{"name": "find", "parameters": {}}]} if number % 7 == 0 else {}
    return {"messages": messages} | tools


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_hundred_conversations_of_every_kind_are_trained_as_shown(
    options, tokenizer, tmp_path, write_rows
):
    """Each row as the page shows it, cut and uncut, against the collated batch."""
    file = write_rows(tmp_path / "made.jsonl", [generated(n) for n in range(100)])
    config = TrainConfig(dataset=str(file), eval_size=0.0, packing=False, **options)
    collate = Collator(tokenizer.pad_token_id)
    trained = [unpacked(collate([row]))[0] for row in prepare(config, tokenizer).train]
    shown = [one_row(file, tokenizer, number, **options) for number in range(100)]
    learned = [one for one in shown if set(one["labels"]) != {-100}]
    assert len(learned) >= 15
    assert trained == [(one["input_ids"], one["labels"]) for one in learned]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dataset", SAMPLES)
def test_every_row_of_the_preview_is_trained_as_shown(dataset, options, tokenizer):
    config = TrainConfig(dataset=dataset, eval_size=0.0, packing=False, **options)
    collate = Collator(tokenizer.pad_token_id)
    trained = [unpacked(collate([row]))[0] for row in prepare(config, tokenizer).train]
    assert trained == encoded(dataset, tokenizer, options)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dataset", SAMPLES)
def test_what_leaves_the_trainers_loader_is_the_preview(
    dataset, options, tokenizer, tiny_model_folder, tmp_path, cpu
):
    """Packed, shuffled, batched and padded by Transformers' own loader: still the same rows."""
    from transformers import AutoModelForCausalLM

    config = TrainConfig(dataset=dataset, eval_size=0.0, packing=True, **options)
    trainer = PackedTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_model_folder),
        args=arguments(config, tmp_path, cpu, max_steps=1, evaluates=False),
        train_dataset=prepare(config, tokenizer).train,
        data_collator=Collator(tokenizer.pad_token_id),
    )
    rows = [row for batch in trainer.get_train_dataloader() for row in unpacked(batch)]
    assert sorted(rows) == sorted(encoded(dataset, tokenizer, options))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dataset", SAMPLES)
def test_inspect_shows_what_is_encoded(dataset, options, tokenizer):
    path = resolve(dataset)
    table = read_table(path)
    conversations = to_conversations(table).conversations
    for number in (0, 1, 57, len(conversations) - 1):
        shown = one_row(path, tokenizer, number, **options)
        row = encode(tokenizer, conversations[number], **options)
        assert (shown["input_ids"], shown["labels"]) == (row.input_ids, row.labels)
        assert shown["tokens"] == tokenizer.convert_ids_to_tokens(row.input_ids)
        assert "".join(text for text, _ in shown["segments"]) == shown["text"] == row.text
