"""What a model is asked when it is checked: the run's questions, rows of its data, plain text."""

import json

from engine import library
from engine.dataset import opened
from engine.dataset.prompt import with_system
from engine.errors import UserError
from engine.export.source import Source
from engine.places import DATA_DIR
from engine.training.answers import asked

COUNT = 4

Messages = list[dict[str, str]]


def prompts_for(source: Source, count: int = COUNT) -> list[Messages]:
    """Conversations that end with a user's turn, under the run's system prompt."""
    questions = dict.fromkeys([*_of_the_run(source), *_of_the_data(source, count), *_plain()])
    turns = [[{"role": "user", "content": one}] for one in list(questions)[:count]]
    return [with_system(one, source.system_prompt) for one in turns]


def _of_the_run(source: Source) -> list[str]:
    return [one.prompt for one in asked(source.run.samples())] if source.run else []


def _of_the_data(source: Source, count: int) -> list[str]:
    """First questions of its rows; none where the data has gone since."""
    if not source.run:
        return []
    config = source.run.config
    try:
        path = library.resolve(config.dataset)
        found = opened.conversations(path, config.mapping, config.speaker).conversations
    except UserError:
        return []
    rows = [found[at].get("messages", []) for at in range(min(count, len(found)))]
    firsts = [next((turn for turn in row if turn["role"] == "user"), None) for row in rows]
    return [one["content"] for one in firsts if one and one["content"].strip()]


def _plain() -> list[str]:
    lines = (DATA_DIR / "general.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"][:60] for line in lines]
