"""Answers that were good, or that a person said better, become rows of the next dataset."""

from pathlib import Path

from engine import library
from engine.chat.conversations import Message
from engine.desk import client as desk
from engine.errors import UserError
from engine.library import Appended


def keep(
    dataset: str, messages: list[Message], better: str = "", called: str = ""
) -> tuple[Appended, Appended | None]:
    """Adds a conversation that ends with an answer to a dataset, and says where it lies now.

    With `better`, that is learned instead of the answer, and both together become a preference
    row (prompt, chosen, rejected) in a file of its own. `dataset` is an id of the library, or ""
    for a new one that is `called` so. What cannot take the row as it is (a sample, another format)
    is copied first and stays as it was. Raises UserError.
    """
    better = better.strip()
    if not messages or messages[-1]["role"] != "assistant":
        raise UserError(
            "There is no answer to keep yet; ask something first.",
            "还没有可以保存的回答，请先提个问题。",
        )
    *prompt, answer = messages
    learned = better or answer["content"].strip()
    if not learned:
        raise UserError(
            "This answer is empty; write what you would have said.",
            "这个回答是空的；请写下你认为应有的回答。",
        )
    target = _own(dataset) if dataset else _new(called)
    said = {"role": "assistant", "content": learned}
    kept = library.append(target, {"messages": [*prompt, said]})
    if not better or better == answer["content"].strip():
        return kept, None
    pair = {"prompt": prompt, "chosen": [said], "rejected": [answer]}
    return kept, library.append(_beside(target, set(pair)), pair)


def _own(dataset: str) -> str:
    """One's own dataset of messages: itself, or a copy that was made of it before or just now."""
    library.require(dataset)
    listed = {one.id: one for one in library.list_datasets()}
    if not listed[dataset].is_sample and library.holds(dataset, {"messages"}):
        return dataset
    # With its ending: mine.csv is not mine.json, and has a copy of its own.
    stem = library.safe_name(f"{dataset.replace('.', '-')}-messages")[-80:]
    copy = _free(stem, {"messages"})
    if copy in listed:
        return copy
    understood = desk.understood(dataset)
    if any(one["format"] == "text" for one in understood["shapes"]):
        raise UserError(
            f"{dataset} is plain text, without questions and answers, so no answer can be added. "
            "Choose another dataset, or write a name for a new one.",
            f"{dataset} 是纯文本，没有问答，无法往其中添加回答。"
            "请换一个数据集，或给新数据集起个名字。",
            field="dataset",
        )
    if len(understood["splits"]) > 1:
        raise UserError(
            f"{dataset} brings parts of its own, and to none of them can an answer be added. "
            "Choose another dataset, or write a name for a new one.",
            f"{dataset} 自带划分，无法往其中添加回答。请换一个数据集，或给新数据集起个名字。",
            field="dataset",
        )
    return desk.keep_as_messages(dataset, called=copy)


def _new(called: str) -> str:
    """By the name that a person gave; one's own dataset of that name goes on growing."""
    if not called.strip():
        raise UserError(
            "Write a name for the new dataset, or choose one that is there.",
            "请给新数据集起个名字，或选择已有的数据集。",
            field="dataset",
        )
    name = library.safe_name(called.strip().removesuffix(".jsonl"))[:80]
    return _free(name, {"messages"})


def _beside(dataset: str, columns: set[str]) -> str:
    """The file of preferences that belongs to a dataset."""
    return _free(f"{Path(dataset).stem[:80]}-preferences", columns)


def _free(stem: str, columns: set[str]) -> str:
    """The first file of this name that can take the row; another's upload may be called so."""
    numbered = (f"{stem}{'' if n == 1 else f'-{n}'}.jsonl" for n in range(1, 1000))
    return next(one for one in numbered if library.holds(one, columns))
