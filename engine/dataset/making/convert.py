"""Conversations written out in another format, as a file that other tools read."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from engine.dataset.making.losses import lost_of
from engine.dataset.making.write import write_rows
from engine.dataset.meaning.formats import Conversations
from engine.dataset.reading.read import Table
from engine.dataset.reading.store import Stored
from engine.dataset.reasoning import FIELD, in_words
from engine.dataset.split import splits_among
from engine.errors import UserError

Row = dict[str, Any]
# A question that stood in two columns: what it became -> (instruction, input).
Parts = dict[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Converted:
    """Rows written, and by kind (a key of LOSSES) how many conversations lost that."""

    rows: int
    lost: dict[str, int]


def convert(found: Conversations, to: str, out: Path, table: Table | None = None) -> Converted:
    """Writes JSON, JSON Lines, CSV or Parquet, by the ending of `out`.

    With the `table` that `found` comes from, a question that stood there in two columns (Alpaca's
    instruction and input) stands in two again where the format has them, and the file's own splits
    are kept. Raises UserError (field "to") for an unknown format or one that can hold no row of
    these, (field "out") as write_rows.
    """
    write = _writer(to)
    lost = Counter(rejected=found.shapes["preference"])
    is_csv, sources = out.suffix.lower() == ".csv", []

    def rows() -> Iterator[Row]:
        read = zip(found.sources, found.conversations, _parts(found, table), strict=False)
        for source, one, parts in read:
            made = write(one, parts)
            lost.update(lost_of(one, to, made))
            if is_csv and any(_holds_nul(row) for row in made):
                made = [_without_nul(row) for row in made]
                lost["nul"] += 1
            sources.extend([source] * len(made))
            yield from made

    written = Stored(rows())
    if not written:
        raise UserError(
            f"Nothing in this dataset can be written as {to}: there are tool calls, but no answer "
            "in words. Choose messages or sharegpt, which hold tool calls.",
            f"这份数据没有能写成 {to} 的内容：只有工具调用，没有文字回答。"
            "请选能容纳工具调用的 messages 或 sharegpt。",
            field="to",
        )
    write_rows(written, out, splits_among(sources, table.splits) if table else None)
    return Converted(len(written), dict(+lost))


def losses(found: Conversations, to: str) -> dict[str, int]:
    """What `convert` would lose to a format, without writing. Raises UserError (field "to")."""
    write = _writer(to)
    lost = Counter(rejected=found.shapes["preference"])
    for one in found.conversations:
        lost.update(lost_of(one, to, write(one, {})))
    return dict(+lost)


def _writer(to: str) -> Callable[[Row, Parts], list[Row]]:
    if to not in FORMATS:
        raise UserError(
            f"{to!r} is no format; choose one of {', '.join(FORMATS)}.",
            f"没有 {to!r} 这种格式；请从 {'、'.join(FORMATS)} 中选择。",
            field="to",
        )
    return FORMATS[to]


def _holds_nul(row: Row) -> bool:
    return any(isinstance(cell, str) and "\x00" in cell for cell in row.values())


def _without_nul(row: Row) -> Row:
    return {
        name: cell.replace("\x00", "") if isinstance(cell, str) else cell
        for name, cell in row.items()
    }


def _parts(found: Conversations, table: Table | None) -> Iterator[Parts]:
    """For each conversation the parts of its question, {} for a question of one part."""
    instructions = [name for name, role in found.mapping.items() if role == "user"]
    inputs = [name for name, role in found.mapping.items() if role == "input"]
    if table is None or not inputs:
        yield from repeat({}, len(found.conversations))
        return
    rows = enumerate(table.rows)
    number, row = next(rows)
    for source in found.sources:
        while number < source:
            number, row = next(rows)
        instruction, input_ = _joined(row, instructions), _joined(row, inputs)
        both = instruction and input_
        yield {f"{instruction}\n{input_}": (instruction, input_)} if both else {}


def _joined(row: Row, columns: list[str]) -> str:
    texts = (str(row.get(name) or "").strip() for name in columns)
    return "\n".join(text for text in texts if text)


def _pairs(conversation: Row) -> list[tuple[str, str]]:
    """Each question with the answer in words that ends its turn; tool calls are no answer."""
    if "text" in conversation:
        return [("", conversation["text"])]
    pairs, question, answer = [], "", None
    for message in conversation["messages"]:
        if message["role"] == "user":
            if answer is not None:
                pairs.append((question, answer))
            question, answer = message["content"], None
        elif message["role"] == "assistant":
            answer = None if message.get("tool_calls") else in_words(message)
    return pairs if answer is None else [*pairs, (question, answer)]


def _messages(conversation: Row, _: Parts) -> list[Row]:
    if "text" in conversation:
        return [{"messages": [{"role": "assistant", "content": conversation["text"]}]}]
    return [conversation]


def _alpaca(conversation: Row, parts: Parts) -> list[Row]:
    """The last question and answer, and those before as the history of this one row."""
    pairs = _pairs(conversation)
    if not pairs:
        return []
    *history, (question, answer) = pairs
    instruction, input_ = parts.get(question, (question, ""))
    row: Row = {"instruction": instruction, "input": input_, "output": answer}
    if system := _system(conversation):
        row["system"] = system
    if history:
        row["history"] = [list(pair) for pair in history]
    return [row]


def _system(conversation: Row) -> str:
    first = conversation.get("messages", [{"role": ""}])[0]
    return first["content"] if first["role"] == "system" else ""


_SHAREGPT_NAMES = {"user": "human", "assistant": "gpt", "tool": "observation"}


def _sharegpt(conversation: Row, _: Parts) -> list[Row]:
    """The system prompt and the tools (as JSON text) stand in columns of their own."""
    if "text" in conversation:
        return [{"conversations": [{"from": "gpt", "value": conversation["text"]}]}]
    messages = conversation["messages"]
    row: Row = {"conversations": [_turn(m) for m in messages if m["role"] != "system"]}
    if system := _system(conversation):
        row["system"] = system
    if "tools" in conversation:
        row["tools"] = json.dumps(conversation["tools"], ensure_ascii=False)
    return [row]


def _turn(message: Row) -> Row:
    thought = {FIELD: message[FIELD]} if FIELD in message else {}
    if message.get("tool_calls"):
        return {"from": "function_call", "value": _calls(message)} | thought
    return {"from": _SHAREGPT_NAMES[message["role"]], "value": message["content"]} | thought


def _calls(message: Row) -> str:
    """As JSON: the call's name and arguments, a list of them when there are several."""
    calls = [call["function"] for call in message["tool_calls"]]
    return json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)


def _prompt_completion(conversation: Row, _: Parts) -> list[Row]:
    return [{"prompt": question, "completion": a} for question, a in _pairs(conversation) if a]


def _context_target(conversation: Row, parts: Parts) -> list[Row]:
    """In the frame of the ChatGLM tutorials, which has no way to quote: a question with a line
    "Input: ..." of its own comes back without that word."""
    rows = []
    for question, answer in _pairs(conversation):
        if not answer:
            continue
        instruction, input_ = parts.get(question, (question, ""))
        lines = [f"Instruction: {instruction}", *([f"Input: {input_}"] if input_ else [])]
        context = "\n".join([*lines, "Answer: "]) if question else ""
        rows.append({"context": context, "target": answer})
    return rows


_SPEAKERS = {"system": "System", "user": "User", "assistant": "Assistant", "tool": "Tool"}


def _text(conversation: Row, _: Parts) -> list[Row]:
    if "text" in conversation:
        return [conversation]
    lines = (
        f"{_SPEAKERS[m['role']]}: {_calls(m) if m.get('tool_calls') else in_words(m)}"
        for m in conversation["messages"]
    )
    return [{"text": "\n".join(lines)}]


FORMATS: dict[str, Callable[[Row, Parts], list[Row]]] = {
    "messages": _messages,
    "alpaca": _alpaca,
    "sharegpt": _sharegpt,
    "prompt-completion": _prompt_completion,
    "context-target": _context_target,
    "text": _text,
}
