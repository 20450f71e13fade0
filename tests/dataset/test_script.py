"""Scripts: who speaks, and the lines of one person as answers to the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import Table
from engine.dataset.reading.store import Stored
from engine.errors import UserError


def read(rows, **choice):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return to_conversations(Table(Stored(rows), columns, "json", "UTF-8"), **choice)


def rows_of(text):
    return [{"text": line} for line in text.split("|")]


def pairs(found):
    return [tuple(m["content"] for m in one["messages"]) for one in found.conversations]


def left_out(found):
    return [(row, why.en) for row, why in found.dropped]


PLAY = "Ann: Hi.|Bob: Hm?|Ann: I said hi.|Ann: To you.|Cy: Me too.|Bob: Ah.||Bob: Late.|Ann: Yes."


def test_the_lines_of_one_person_answer_what_the_others_say_before():
    """Several people are named, one is not; lines of one person are one; a scene ends at the
    empty line, behind which Bob has nobody to answer."""
    found = read(rows_of(PLAY), speaker="Bob")
    assert pairs(found) == [("Hi.", "Hm?"), ("Ann: I said hi.\nAnn: To you.\nCy: Me too.", "Ah.")]
    assert found.sources == [1, 5]
    assert left_out(found) == [
        (6, "it names no speaker"),
        (7, "nobody speaks before this line"),
        (8, "the speaker does not answer this line"),
    ]
    assert found.lines == {"learned": 2, "prompts": 4, "dropped": 3}
    assert (found.format, found.shapes, found.mapping) == ("script", {"script": 9}, {})
    assert found.speakers == {"Ann": 4, "Bob": 3, "Cy": 1}
    assert [note.en for note in found.notes] == [
        "The lines of Bob are learned; what the others say just before them is the prompt."
    ]


def test_who_answers_most_is_chosen():
    """Not who speaks most: who opens every scene has nobody to answer."""
    found = read(rows_of(PLAY))
    assert pairs(found) == [("Hm?", "I said hi.\nTo you."), ("Late.", "Yes.")]
    assert (found.speaker, found.sources) == ("Ann", [2, 8])
    opened = read(rows_of("|".join(["Ann: Hi.\nAnn: You!\nBob: Hm?"] * 2)))
    assert opened.speakers == {"Ann": 4, "Bob": 2}
    assert (opened.speaker, pairs(opened)) == ("Bob", [("Hi.\nYou!", "Hm?")] * 2)


def test_of_a_speaker_who_answers_nobody_all_is_known_but_what_to_learn():
    """So that another one can be chosen."""
    found = read(rows_of("A: a\nB: b|A: c\nB: d"), speaker="A")
    assert (pairs(found), found.speakers) == ([], {"A": 2, "B": 2})
    assert found.lines == {"learned": 0, "prompts": 0, "dropped": 4}


def test_every_line_is_learned_a_prompt_or_left_out():
    said = [*(f"A: {n}" for n in range(8)), "B: x", "(Night falls.)", "B: y", "---", "A: z"]
    found = read(rows_of("|".join(said)), speaker="B")
    assert pairs(found) == [("2\n3\n4\n5\n6\n7", "x\n(Night falls.)\ny")]
    assert left_out(found) == [
        (0, "it stands too many lines before the answer"),
        (1, "it stands too many lines before the answer"),
        (11, "it names no speaker"),
        (12, "the speaker does not answer this line"),
    ]
    assert found.lines == {"learned": 2, "prompts": 6, "dropped": 4}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["A: a", "B: b", "C: c", "", "---"]), max_size=30))
def test_no_line_is_lost_or_counted_twice(middle):
    said = ["A: a", "B: b", "A: a", "B: b", *middle, "B: b", "A: a", "A: a", "B: b"]
    found = read(rows_of("|".join(said)))
    if found.format == "script":
        assert sum(found.lines.values()) == len(said)
        assert found.lines["dropped"] == len(found.dropped)


def test_a_line_without_a_name_goes_on_with_the_line_before():
    """In a paragraph, and from row to row of a file without paragraphs; before the first name of a
    scene nobody says it, nor does a paragraph of its own."""
    text = "It is late.|Ann: Hello.|How are you?|Bob: Fine.|Ann: Good.|Bob: Yes."
    found = read(rows_of(text), speaker="Bob")
    assert pairs(found) == [("Hello.\nHow are you?", "Fine."), ("Good.", "Yes.")]
    assert left_out(found) == [(0, "it names no speaker")]
    assert [note.en for note in found.notes][1:] == [
        "1 lines that name nobody go on with the line before them."
    ]
    scenes = read(rows_of(text.replace("|", "\n").replace("\nAnn: Good", "|Ann: Good")))
    assert pairs(scenes) == pairs(found)
    assert left_out(scenes) == [(0, "it names no speaker")]
    parted = read(
        rows_of("Ann: a|Ann: b\nstill b|Bob: c|Night.|Bob: d|Ann: e|Bob: f"), speaker="Bob"
    )
    assert pairs(parted) == [("a\nb\nstill b", "c"), ("e", "f")]
    assert left_out(parted) == [
        (3, "it names no speaker"),
        (4, "nobody speaks before this line"),
    ]
    lists = read([{"dialogue": ["A: a", "b", "B: c"]}, {"dialogue": ["b", "A: a", "B: c"]}])
    assert pairs(lists) == [("a\nb", "c"), ("a", "c")]


def test_columns_beside_a_script_are_said():
    rows = [{"id": n, "speaker": "AB"[n % 2], "line": "x", "act": ""} for n in range(4)]
    assert [note.en for note in read(rows).notes][1:] == ["The column id is not used."]


@pytest.mark.parametrize(
    ("name", "line"),
    [("role", "text"), ("speaker", "line"), ("name", "content"), ("Character", "Dialogue"),
     ("角色", "台词")],
)  # fmt: skip
def test_a_column_of_names_and_one_of_lines(name, line):
    said = [("甲", "走吗"), ("乙", "不"), ("甲", "好"), ("", "幕落"), ("乙", "唉")]
    found = read([{name: who, line: text} for who, text in said], speaker="乙")
    assert pairs(found) == [("走吗", "不")]
    assert left_out(found) == [
        (2, "the speaker does not answer this line"),
        (3, "it names no speaker"),
        (4, "nobody speaks before this line"),
    ]


@pytest.mark.parametrize(
    "scene",
    [
        lambda *said: [{"role": who, "content": text} for who, text in said],
        lambda *said: [{"speaker": who, "text": text} for who, text in said],
        lambda *said: [f"{who}：{text}" for who, text in said],
    ],
)
def test_a_list_of_lines_in_each_row(scene):
    """Each row is a scene: what is said in one is no prompt in the next."""
    rows = [
        {"dialogue": scene(("甲", "一"), ("乙", "二"))},
        {"dialogue": scene(("乙", "三"), ("甲", "四"))},
    ]
    found = read(rows, speaker="乙")
    assert (pairs(found), found.sources) == ([("一", "二")], [0])
    assert left_out(found) == [
        (1, "nobody speaks before this line"),
        (1, "the speaker does not answer this line"),
    ]


def test_paragraphs_of_several_lines_are_scenes():
    found = read(rows_of("甲：一\n乙：二\n甲：三|乙：四\n甲：五"), speaker="甲")
    assert pairs(found) == [("二", "三"), ("四", "五")]
    assert found.sources == [0, 1]


def test_a_prompt_goes_back_six_lines():
    text = "|".join([*(f"A: {i}" for i in range(9)), "B: x"])
    assert pairs(read(rows_of(text), speaker="B")) == [("3\n4\n5\n6\n7\n8", "x")]


def test_of_user_and_assistant_the_assistant_answers():
    assert pairs(read(rows_of("User: a|User: b|User: c|Assistant: d|User: e|Assistant: f"))) == [
        ("a\nb\nc", "d"),
        ("e", "f"),
    ]


def test_of_question_and_answer_the_answer_is_learned():
    """One line a row; both in one row are a conversation of their own."""
    for q, a in ("QA", ("Question", "Answer"), ("问", "答"), ("Human", "AI")):
        lines = [f"{q}: a", f"{a}: b", f"{q}: c", f"{q}: d", f"{a}: e"]
        assert pairs(read(rows_of("|".join(lines)))) == [("a", "b"), ("c\nd", "e")]
        marked = read(rows_of(f"{q}: a\n{a}: b|{q}: c\n{a}: d"))
        assert (marked.format, pairs(marked)) == ("marked", [("a", "b"), ("c", "d")])


def test_nobody_of_that_name():
    with pytest.raises(UserError) as raised:
        read(rows_of(PLAY), speaker="Zoe")
    assert str(raised.value) == (
        "Nobody called 'Zoe' speaks in this file; those who speak most are Ann, Bob, Cy. "
        "Choose one of them."
    )
    assert raised.value.field == "speaker"


@pytest.mark.parametrize(
    "rows",
    [
        rows_of("One day: it rained.|We stayed in.|Then it stopped.|We went out."),
        rows_of("at 10:30|at 10:45|at 11:30|http://a.b|https://c.d"),
        [{"name": f"Article {i}", "text": "Long."} for i in range(9)],
    ],
)
def test_prose_is_no_script(rows):
    found = read(rows)
    assert (found.format, found.speakers) == ("text", {})
    assert len(found.conversations) == len(rows)


def test_a_choice_of_columns_overrules_a_script():
    found = read(rows_of(PLAY), mapping="text=text")
    assert (found.format, len(found.conversations)) == ("mapped", 8)
