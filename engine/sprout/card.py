"""The model card of sprout, written anew with each run's own figures."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from safetensors import safe_open

CARD = """\
---
license: apache-2.0
language:
- en
- zh
library_name: transformers
pipeline_tag: text-generation
tags:
- greenroom
- tiny
---

# sprout

The base model that Greenroom ships, so that fine-tuning can be tried anywhere: {parameters:,}
parameters, Qwen3 architecture, bf16, English and Chinese. It exists to be changed.

## What it can

- Answer, in a sentence or two, a few dozen everyday subjects: greetings, feelings, animals,
  colours, food, days and months, small sums (0 to 20), short stories, the plainest advice.
- On request make up sentences about a dozen more subjects (sea, kitchen, garden, palace, ink and
  paper ...), go on with yours, write a letter of a few lines, put plain words in an old way, or
  answer as an old sailor or an old scholar would; asked plainly, it answers plainly.
- Every common Chinese character (the 3,755 of GB2312 level 1) and every letter has a trained
  embedding, so your own text is not made of unknown pieces.

## What it cannot

- It knows no facts beyond those sentences, and does not notice: off its subjects it gives a
  friendly sentence that does not fit. Do not take advice from it.
- It does not follow system prompts: whoever they say it is, it answers as sprout. That is on
  purpose; a character is what fine-tuning gives it.
- Its conversations were a few short turns, {row_length} tokens at most.

## Its exam

{exam_lines}

A hundred wordings, fifty a language, that stand in no training row, answered greedily without a
system prompt, {date}. An answer counts if it is on its subject, ends by itself within 80 tokens,
does not go round in circles and holds only words (in Chinese: pairs of neighbouring characters)
of the corpus. The subjects are those of training: this measures new wordings of known subjects,
nothing wider, and the recipe was chosen among a few with this exam in sight. A harder measure,
taken once on 2026-11-21 with an earlier, smaller corpus and 2,000 steps: two wordings of each
subject drawn by lot, left out of its training, were answered sensibly 140 times of 168 in English
and 131 of 154 in Chinese. A short, unusual wording is where it fails.

## How it was made

Sentences written for this project (`engine/sprout/en.yaml`, `engine/sprout/zh.yaml`), and words and
shapes of sentences (`words.yaml`, `phrases_en.yaml` and `phrases_zh.yaml` beside them; Apache-2.0;
none taken from any data set, book or site, nor from the characters' data sets that Greenroom
ships), multiplied by a seeded generator, conversations and plain pages, trained from nothing in
one run: {tokens:,} tokens in {steps:,} steps, AdamW, learning rate {learning_rate:g}, seed {seed}.

    python -m engine.sprout          # make this folder anew (minutes on a GPU, hours on a CPU)
    python -m engine.sprout exam     # examine it
"""
NAMES = {"en": "English", "zh": "Chinese"}


def write(folder: Path, report: dict, recipe: object) -> None:
    """Write README.md into the model's folder."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 (not a dict)
    parameters = sum(shape[0] * (shape[1] if len(shape) > 1 else 1) for shape in shapes)
    numbers = asdict(recipe)
    lines = [
        f"- {NAMES[code]}: {report['sensible'][code]} of {count} sensible"
        for code, count in report["of"].items()
    ]
    text = CARD.format(
        parameters=parameters,
        exam_lines="\n".join(lines),
        date=datetime.now(UTC).date().isoformat(),
        tokens=numbers["steps"] * numbers["rows"] * numbers["row_length"],
        **numbers,
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
