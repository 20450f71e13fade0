"""Repairs: each exact, in the file and in the list of changes; nothing is left for a second one."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.doctor.examine import examine
from engine.dataset.doctor.repair import REPAIRS, Change, changes_file, repair
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import read_table
from engine.errors import UserError


def pair(question, answer, **more):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages, **more}


def found_in(conversations, dropped=()):
    sources = list(range(len(conversations)))
    return SimpleNamespace(conversations=conversations, sources=sources, dropped=list(dropped))


def written(path):
    with path.open(encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def repaired(tmp_path, conversations, kinds, **more):
    """(rows of the new file, [(row, kind, action)]); the list beside it is what is returned."""
    out = tmp_path / "new.jsonl"
    changes = repair(found_in(conversations), kinds, out, **more)
    assert written(tmp_path / "new.changes.jsonl") == [asdict(change) for change in changes]
    return written(out), [(one.row, one.kind, one.action) for one in changes]


BEES = "Bees live in hives and make honey out of nectar which they gather from many flowers"


@pytest.mark.parametrize(
    ("kind", "before", "after", "changed"),
    [
        ("duplicates", [{"text": "a"}, {"text": "b"}, {"text": "a"}], [0, 1], [(3, "removed")]),
        (
            "near_duplicates",
            [pair("Bees?", BEES), pair("Ants?", "No."), pair("Bees?", BEES + " around")],
            [1, 2],
            [(1, "removed")],
        ),
        (
            "repeated_answer",
            [*(pair(f"{n}?", "No.") for n in range(7)), pair("Yes?", "Yes.")],
            [0, 1, 2, 3, 4, 7],
            [(6, "removed"), (7, "removed")],
        ),
        (
            "mojibake",
            [pair("Cafe?", "A cafÃ©, “so”\u2026"), pair("b", "c 锟斤拷"), pair("d", "e")],
            [pair("Cafe?", "A café, “so”\u2026"), 2],
            [(1, "changed"), (2, "removed")],
        ),
        (
            "control_characters",
            [pair("a\r\nb", "c\x07"), pair("d", "\x07")],
            [pair("a\nb", "c")],
            [(1, "changed"), (2, "removed")],
        ),
        (
            "html",
            [
                pair("Hi<br>you", "a &lt;br&gt; b &amp;amp; c"),
                pair("HTML?", "<br>"),
                pair("a", "<p>b"),
            ],
            [pair("Hi\nyou", "a \n b & c"), 1, pair("a", "b")],
            [(1, "changed"), (1, "changed"), (3, "changed")],
        ),
    ],
)
def test_each_repair(tmp_path, kind, before, after, changed):
    """Numbers in `after` are rows that stay as they were. What is escaped twice is mended twice;
    an answer of which nothing is left goes."""
    rows, changes = repaired(tmp_path, before, [kind])
    assert rows == [before[one] if isinstance(one, int) else one for one in after]
    assert changes == [(row, kind, action) for row, action in changed]


def test_leakage(tmp_path):
    """Out of the training data, not out of the validation data."""
    rows = [pair("a?", "b"), pair("c?", "d")]
    held_out = found_in([pair("C?", "other")])
    assert repaired(tmp_path, rows, ["leakage"], held_out=held_out) == (
        [rows[0]],
        [(2, "leakage", "removed")],
    )


def test_a_files_own_validation_rows_stay(tmp_path):
    """What leaks goes out of the training rows, a copy out of the side that holds it twice, and an
    answer that is learned too often out of what is learned."""
    same = [pair(f"{n}?", "No.") for n in range(6)]
    train = [pair("a?", "b"), pair("C?", "d"), pair("a?", "b"), *same]
    valid = [
        pair("c?", "d"),
        pair("e?", "f"),
        pair("e?", "f"),
        *(pair(f"v{n}?", "No.") for n in range(6)),
    ]
    rows, kinds = train + valid, ["leakage", "duplicates", "near_duplicates", "repeated_answer"]
    table = SimpleNamespace(rows=rows, splits={"train": (0, 9), "test": (9, 18)})
    repair(found_in(rows), kinds, tmp_path / "new.json", table=table)
    assert json.loads((tmp_path / "new.json").read_text()) == {
        "train": [train[0], *same[:5]],
        "test": [valid[0], valid[1], *valid[3:]],
    }
    changes = [(one["row"], one["kind"]) for one in written(tmp_path / "new.changes.jsonl")]
    assert changes == [
        (2, "leakage"),
        (3, "duplicates"),
        (9, "repeated_answer"),
        (12, "duplicates"),
    ]


def test_with_a_second_file_its_own_splits_are_learned_too(tmp_path):
    rows = [pair("a?", "b"), pair("a?", "b"), pair("c?", "d")]
    table = SimpleNamespace(rows=rows, splits={"train": (0, 1), "test": (1, 3)})
    held_out, kinds = found_in([pair("c?", "x")]), ["leakage", "duplicates"]
    repair(found_in(rows), kinds, tmp_path / "new.json", held_out, table=table)
    assert json.loads((tmp_path / "new.json").read_text()) == {"train": [rows[0]], "test": []}


def test_placeholders(tmp_path):
    """A row whose text would be empty goes; tools stay with their row."""
    rows = [
        pair("Who?", "I am {{name}}.", tools=[]),
        pair("What?", "{{name}}{{x}}"),
        pair("a", "b"),
    ]
    after = [pair("Who?", "I am Ada.", tools=[]), pair("What?", "Ada{{x}}"), rows[2]]
    changes = [(1, "placeholders", "changed"), (2, "placeholders", "changed")]
    assert repaired(tmp_path, rows, ["placeholders"], fill={"name": "Ada"}) == (after, changes)


def test_a_change_says_what_was_and_what_is(tmp_path):
    changes = repair(
        found_in([{"text": "a\x07"}, {"text": "a"}]),
        list(REPAIRS - {"placeholders"}),
        tmp_path / "b.jsonl",
    )
    assert changes == [
        Change(1, "control_characters", "changed", {"text": "a\x07"}, {"text": "a"}),
        Change(2, "duplicates", "removed", {"text": "a"}, None),
    ]


@pytest.mark.parametrize(
    ("kinds", "out", "field", "sentence"),
    [
        (["few_rows"], "a.jsonl", "kinds", "There is no repair for few_rows; choose among control"),
        (["placeholders"], "a.jsonl", "fill", "The placeholders need values."),
        (["html"], "mine.jsonl", "out", "mine.jsonl is there already, and a repair never"),
        (["html"], "no/folder/a.jsonl", "out", "cannot be written (No such file or directory)"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path, kinds, out, field, sentence):
    """The original is not touched."""
    (tmp_path / "mine.jsonl").write_text("mine")
    with pytest.raises(UserError) as error:
        repair(found_in([{"text": "a"}]), kinds, tmp_path / out)
    assert sentence in str(error.value)
    assert error.value.field == field
    assert (tmp_path / "mine.jsonl").read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir()] == ["mine.jsonl"]


PIECES = st.sampled_from(
    [
        "Bees",
        " make honey",
        " and wax",
        "<br>",
        "&lt;",
        "&amp;",
        "br&gt;",
        "Ã©",
        "â€™",
        "\ufffd",
        "\x07",
    ]
    + [
        "\r\n",
        "æ–‡",
        "`",
        "```",
        "{{name}}",
        "&#7;",
        "&#x60;",
        "中文",
        BEES,
        " html",
        "&#195;©",
        "\x85",
        "浣犲ソ涓栫晫",
        "ÄãºÃ£¬ÊÀ½ç£¡",
        "鎴戠埍浣犱滑锛?",
        "\n",
    ]
)
TEXTS = st.lists(PIECES, min_size=1, max_size=6).map("".join).filter(lambda text: text.strip())
ROWS = st.lists(
    st.builds(pair, TEXTS, TEXTS) | st.builds(lambda text: {"text": text}, TEXTS),
    min_size=1,
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, kinds=st.sets(st.sampled_from(sorted(REPAIRS))))
def test_repairing_what_was_repaired_changes_nothing(rows, kinds):
    """No finding of these kinds is left, whatever faults stand together; every row of the old file
    is in the new one or in the list."""
    fill, held_out = {"name": "Ada"}, found_in(rows[:1])
    with TemporaryDirectory() as folder:
        out = Path(folder) / "once.jsonl"
        try:
            changes = repair(found_in(rows), list(kinds), out, held_out, fill=fill)
        except UserError:  # every row has a fault for which it is taken out
            assert not out.exists()
            return
        once = written(out)
        removed = Counter(one.row for one in changes if one.action == "removed")
        assert len(once) + len(removed) == len(rows)
        assert not removed or max(removed.values()) == 1
        left = {finding.kind for finding in examine(found_in(once), held_out=held_out)}
        assert left.isdisjoint(kinds)
        again = repair(
            found_in(once), list(kinds), Path(folder) / "twice.jsonl", held_out, fill=fill
        )
        assert again == []
        assert written(Path(folder) / "twice.jsonl") == once


def test_the_list_of_changes_lies_beside_the_file():
    assert changes_file(Path("a/b.jsonl")) == Path("a/b.changes.jsonl")


def test_the_files_own_splits_are_written_too(tmp_path):
    """A file of splits becomes one, with the rows that are left where they were; JSON Lines would
    make training rows of the held-back ones, and are refused before anything is written."""
    rows = {
        "train": [{"prompt": "a", "response": "b"}, {"prompt": "a", "response": "b"}],
        "valid": [{"prompt": "c\x07", "response": "d"}],
    }
    (tmp_path / "mine.json").write_text(json.dumps(rows))
    table = read_table(tmp_path / "mine.json")
    found, kinds = to_conversations(table), ["duplicates", "control_characters"]
    with pytest.raises(UserError, match="parts of its own .train 1, valid 1.") as raised:
        repair(found, kinds, tmp_path / "new.jsonl", table=table)
    assert raised.value.field == "out"
    assert [one.name for one in tmp_path.iterdir()] == ["mine.json"]
    repair(found, kinds, tmp_path / "new.json", table=table)
    assert json.loads((tmp_path / "new.json").read_text()) == {
        "train": [pair("a", "b")],
        "valid": [pair("c", "d")],
    }
    assert [one["row"] for one in written(tmp_path / "new.changes.jsonl")] == [2, 3]
    assert read_table(tmp_path / "new.json").splits == {"train": (0, 1), "valid": (1, 2)}
