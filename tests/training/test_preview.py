"""What the page shows of a row is what the trainer gets of it: same tokens, same labels."""

import random

import pytest
import torch

from engine.config import TrainConfig
from engine.dataset.inspect import one_row
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import read_table
from engine.dataset.tokens import encode
from engine.library import list_datasets, resolve
from engine.training.arguments import arguments
from engine.training.data import prepare
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout

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


def unpacked(sequences, tokenizer, flat=False):
    """The rows that lie in micro-steps of these sequences: tokens, and labels as the loss takes
    them (`targets`, `at`). Each row begins where the positions begin anew."""
    layout = Layout(tokenizer.pad_token_id, flat=flat, capacity=512, longest=256, multiple=8)
    rows = []
    for part in layout.cut(sequences):
        batch = layout.batch(part, torch.device("cpu"))
        ids, positions = (batch.inputs[n].flatten() for n in ("input_ids", "position_ids"))
        labels = torch.full_like(ids, -100)
        labels[batch.at + 1] = batch.targets
        begins = (positions == 0).nonzero()[:, 0].tolist()
        for begin, end in zip(begins, [*begins[1:], len(ids)], strict=True):
            if (labels[begin:end] != -100).any():  # else it is the padding
                rows.append((ids[begin:end].tolist(), labels[begin:end].tolist()))
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
    """Each row as the page shows it, cut and uncut, against the micro-steps."""
    file = write_rows(tmp_path / "made.jsonl", [generated(n) for n in range(100)])
    config = TrainConfig(dataset=str(file), eval_size=0.0, packing=False, **options)
    trained = unpacked(prepare(config, tokenizer).train, tokenizer)
    shown = [one_row(file, tokenizer, number, **options) for number in range(100)]
    learned = [one for one in shown if set(one["labels"]) != {-100}]
    assert len(learned) >= 15
    assert trained == [(one["input_ids"], one["labels"]) for one in learned]


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dataset", SAMPLES)
def test_every_row_of_the_preview_is_trained_as_shown(dataset, options, tokenizer):
    config = TrainConfig(dataset=dataset, eval_size=0.0, packing=False, **options)
    trained = unpacked(prepare(config, tokenizer).train, tokenizer)
    assert trained == encoded(dataset, tokenizer, options)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("dataset", SAMPLES)
def test_what_leaves_the_trainers_loader_is_the_preview(
    dataset, options, tokenizer, tiny_model_folder, tmp_path, cpu
):
    """Packed, shuffled by Transformers' own loader, cut into micro-steps, padded or one after the
    other: still the same rows."""
    from transformers import AutoModelForCausalLM

    config = TrainConfig(dataset=dataset, eval_size=0.0, packing=True, **options)
    trainer = PackedTrainer(
        model=AutoModelForCausalLM.from_pretrained(tiny_model_folder),
        args=arguments(config, tmp_path, cpu, max_steps=1, evaluates=False),
        layout=Layout(tokenizer.pad_token_id, flat=False, capacity=512, longest=256),
        has_loss_head=False,
        train_dataset=prepare(config, tokenizer).train,
    )
    steps = [batch["step"].rows for batch in trainer.get_train_dataloader()]
    shown = sorted(encoded(dataset, tokenizer, options))
    for flat in (False, True):
        assert sorted(row for one in steps for row in unpacked(one, tokenizer, flat)) == shown


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
