"""Each shape of row is named, mapped and becomes one conversation."""

from dataclasses import replace

import pytest

from engine.dataset.meaning.formats import TITLES, to_conversations
from engine.errors import UserError
from tests.dataset import formats_table
from tests.dataset.made_rows import SHAPES, read, reasoned, table, turns, unlearned_then_learned


@pytest.mark.parametrize(("row", "shape", "mapping", "expected"), SHAPES)
def test_each_shape_exactly(row, shape, mapping, expected):
    """The shape is named, its columns are mapped, and the conversation is this one."""
    found = read([row])
    assert (found.format, found.mapping) == (shape, mapping)
    assert list(found.conversations) == [expected]
    assert (found.sources, found.dropped, found.shapes) == ([0], [], {shape: 1})
    assert TITLES[shape].en
    assert TITLES[shape].zh


@pytest.mark.parametrize(
    ("question", "answer"),
    [word.split("/") for word in (
        "instruction/response prompt/response prompt/completion question/answer ask/answer "
        "query/reply context/target problem/solution questionText/answerText "
        "question_text/answer_zh Question/Answer_En User_Input/Assistant user/gpt input/output "
        "问题/答案 提问/回答 输入/输出 指令/输出 用户/助手 上文/下文 用户问题/模型回答 "
        "问题描述/答案内容 输入文本/输出文本 咨询/回复 問題/答案 提問/回答 提問/回覆 輸入/輸出 "
        "指令/回應 instructions/outputs inputs/targets input/target text/target content/summary "
        "document/summary article/summary text/summary dialogue/summary 原文/译文 原文/摘要"
    ).split()] + [["User Input", "Bot Response"]],
)  # fmt: skip
def test_names_that_people_give_a_question_and_its_answer(question, answer):
    found = read([{"id": 1, question: "a", answer: "b", "source": "web"}])
    assert found.mapping == {question: "user", answer: "assistant"}
    assert list(found.conversations) == [turns("a", "b")]


def test_rows_of_several_shapes_are_all_kept_and_counted():
    """In a file that gives every row every column, as Parquet does, too."""
    rows = [{"text": "a"}, {"prompt": "a", "response": "b"}, {"prompt": "c", "response": ""}]
    every = dict.fromkeys(("text", "prompt", "response"))
    for written in (rows, [every | row for row in rows]):
        found = read(written)
        assert found.format == "pairs"
        assert found.shapes == {"pairs": 2, "text": 1}
        assert list(found.conversations) == [{"text": "a"}, turns("a", "b")]
        assert found.sources == [0, 1]


def test_preferences_and_labels_are_said():
    rows = [{"prompt": "a", "chosen": "b", "rejected": "c"}, turns("a", "b") | {"label": True}]
    assert [note.en for note in read(rows).notes] == [
        "Preference data in 1 rows: the chosen answers are used, the rejected ones are left out.",
        "Labels in 1 rows: answers labelled good are used, bad ones are left out.",
    ]
    assert [note.en for note in read([{"dialogue": ["a", "b"]}] * 2).notes] == [
        "In 2 rows the lines name nobody: they are read as user and assistant by turns."
    ]
    assert [note.en for note in read([unlearned_then_learned(), turns("a", "b")]).notes] == [
        "In 1 conversations some answers have weight 0: they are read, not learned."
    ]
    assert [note.en for note in read([reasoned("r"), turns("a", "b")]).notes] == [
        "In 1 conversations answers come with reasoning; it is learned with them, as the chat "
        "template writes it or between <think> and </think>."
    ]


def test_columns_that_are_not_used_are_said_in_any_format():
    """Of the whole file: what one row reads is used, what is empty everywhere is nothing, what a
    repeated question or a rank says is used where it counts."""
    rows = [
        {"prompt": "a", "ask": "", "response": "b", "id": 1, "note": "x", "empty": " "},
        {"prompt": "", "ask": "c", "response": "d", "source": "web"},
    ]
    assert [note.en for note in read(rows).notes] == [
        "The columns id, note and source are not used."
    ]
    assert [note.zh for note in read(rows).notes] == ["没有用到的列：id、note、source。"]
    alone = {"标题": "a", "内容": "b"}
    assert [note.en for note in read([alone]).notes] == ["The column 标题 is not used."]
    ranked = {"prompt": "a", "output": ["b", "c"], "rank": 1}
    assert [note.en for note in read([ranked]).notes] == []
    ranked["output"] = "b"
    assert [note.en for note in read([ranked]).notes] == ["The column rank is not used."]
    wide = turns("a", "b") | {f"c{n}": n for n in range(14)}
    assert [note.en for note in read([wide]).notes] == [
        f"The columns {', '.join(f'c{n}' for n in range(12))} and 2 more are not used."
    ]
    chosen = read(rows, mapping="note=user, response=assistant, source=ignore")
    assert [note.en for note in chosen.notes] == ["The columns prompt, id and ask are not used."]


def labelled(*answers_and_labels):
    return [{"prompt": "a", "response": b, "label": label} for b, label in answers_and_labels]


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (labelled(("b", 1), ("c", 0), ("d", 1), ("b", 0)), ["b", "d"]),
        (labelled(("b", 1.0), ("c", 0.0), ("d", None)), ["b", "d"]),
        (labelled(("b", 1), ("c", 0), ("d", 2)), ["b", "c", "d"]),
        (labelled(("good", 1), ("bad", 0), ("good", 1), ("bad", 0)), "good bad good bad".split()),
    ],
)
def test_numbers_are_labels_where_they_judge(rows, kept):
    """0 and 1, in a column of nothing else, unless they only say again which answer it is."""
    found = read(rows)
    assert [one["messages"][1]["content"] for one in found.conversations] == kept
    assert len(found.dropped) == len(rows) - len(kept)


def test_classes_in_conversations_are_no_labels():
    """Read from the last turn, whatever stands before it."""
    rows = [turns(f"a{n}", "yes" if n % 2 else "no") | {"label": n % 2} for n in range(4)]
    assert len(read(rows).conversations) == 4
    assert len(read([*rows, turns("a", "yes") | {"label": 0}]).conversations) == 2


def test_system_prompts_at_the_beginning_become_one():
    """A column and a turn may both hold one; the same text is not said twice."""
    said = turns("a", "b", system="s")["messages"]
    found = read([{"messages": said, "system": "r"}, {"messages": said, "system": "s"}])
    assert list(found.conversations) == [turns("a", "b", system="r\n\ns"), {"messages": said}]


ASKED = ["### Human: a", "more", "### Assistant: b", "- c", "### Human: d\n### Assistant: e"]


@pytest.mark.parametrize(
    ("texts", "sources", "expected"),
    [
        (ASKED, [0, 4], [turns("a\n\nmore", "b\n\n- c"), turns("d", "e")]),
        (["Q: a", "A: b", "c", "c", "c", "Q: d\ne", "A: f"], [0, 5],
         [turns("a", "b\n\nc\n\nc\n\nc"), turns("d\ne", "f")]),
        (["<|user|>", "a", "<|assistant|>", "b"], [0], [turns("a", "b")]),
    ],
)  # fmt: skip
def test_paragraphs_of_a_text_file_go_on_with_the_turn_before(texts, sources, expected):
    """As long as the first begins with a mark; chosen as conversations, too."""
    paragraphs = [{"text": text} for text in texts]
    for choice in ({}, {"mapping": "text=messages"}):
        found = to_conversations(replace(table(paragraphs), kind="text"), **choice)
        assert list(found.conversations) == expected
        assert found.dropped == []
    assert found.sources == sources
    assert [note.en for note in found.notes] == [
        f"{len(texts) - len(expected)} paragraphs go on with the conversation before them; a "
        "question behind an answer begins a new one."
    ]


def test_prose_that_quotes_a_mark_stays_as_it_is():
    for texts in (["It began.", *ASKED[:3]], ["### Human: a", "more"], ["### A: b", "### Q: c"]):
        found = to_conversations(replace(table([{"text": t} for t in texts]), kind="text"))
        assert [one.get("text") for one in found.conversations] == texts


def test_unknown_columns_are_named_with_an_example():
    with pytest.raises(UserError) as raised:
        read([{"foo": "x" * 200, "bar": 2}])
    assert raised.value.field == "dataset"
    assert str(raised.value) == (
        "The columns found are foo, bar; their names do not tell what is asked and what is "
        'answered. The first row is {"foo": "' + "x" * 111 + " .... Choose the columns under "
        '"Which column is what".'
    )


def test_the_page_of_formats_is_what_is_tested_here():
    """`python -m tests.dataset.formats_table` writes it anew."""
    assert formats_table.PAGE.read_text(encoding="utf-8") == formats_table.markdown()
