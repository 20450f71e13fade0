"""The dataset doctor's findings: each kind whole, on small inputs, and none on sound data."""

from dataclasses import replace
from types import SimpleNamespace

import numpy
import pytest

from engine.dataset.doctor.examine import Finding, examine
from engine.dataset.lengths import Lengths
from engine.dataset.meaning.reasons import LIST_ANSWER
from engine.errors import Sentence


def pair(question, answer, **more):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages, **more}


def thinking(question, answer, thought):
    asked, answered = pair(question, answer)["messages"]
    return {"messages": [asked, answered | {"reasoning_content": thought}]}


def found_in(conversations, dropped=(), first=0):
    """Conversations as they are read; row i of the file became conversation i - first."""
    sources = list(range(first, first + len(conversations)))
    return SimpleNamespace(conversations=conversations, sources=sources, dropped=list(dropped))


def table_of(rows, splits=None):
    columns = list(dict.fromkeys(c for row in rows for c in row))
    return SimpleNamespace(rows=rows, columns=columns, splits=splits or {})


THINGS = "anvil bridge candle drum engine forest garden harbor island jungle".split()
SOUND = [
    pair(
        f"What do you know about the {one} {number}?", f"The {one} number {number} is {kind} {one}."
    )
    for number, kind in enumerate("a tall, a wide, an old, a new, a loud, a fine".split(", "))
    for one in THINGS
]


def told(conversations, **more):
    """The findings beside a sound dataset, as (kind, rows, rows and texts of the examples)."""
    findings = examine(found_in(SOUND + conversations, first=-len(SOUND)), **more)
    return [(f.kind, f.rows, [(e["row"], e["text"]) for e in f.examples]) for f in findings]


def test_sound_data_has_no_findings():
    """Sixty rows that differ, short of all limits; the progress goes from 0 to 1."""
    shares = []
    assert examine(found_in(SOUND), progress=shares.append) == []
    assert shares == [0.0, 1.0]


def test_a_finding_whole():
    (finding,) = examine(found_in([*SOUND, SOUND[3], SOUND[3]]))
    assert finding == Finding(
        kind="duplicates",
        rows=2,
        examples=[
            {"row": 61, "text": "What do you know about the drum 0?"},
            {"row": 62, "text": "What do you know about the drum 0?"},
        ],
        advice=Sentence(
            "Exact copies of earlier rows: they are learned more often than the rest. Where "
            "validation rows are drawn by chance, one copy may be learned, another validated on.",
            "与前面的行完全相同：会比其他行学得更多。随机抽取验证行时，"
            "相同的行可能一份用来学、一份用来验证。",
        ),
        severity="mild",
        repair="duplicates",
        repair_title=Sentence("Keep the first of each", "各保留第一行"),
    )


LONG = "Bees live in hives and make honey out of nectar which they gather from many flowers"
CHINESE = (
    "蜜蜂住在蜂巢里，用从许多花朵上采集来的花蜜酿造蜂蜜，冬天靠它过冬，春天再出去采蜜，年年如此"
)


@pytest.mark.parametrize(
    ("conversations", "expected"),
    [
        (
            [pair("Bees?", LONG), pair("Bees?", LONG + " around")],
            [("near_duplicates", 1, [(1, "≈ 2: Bees?")])],
        ),
        (
            [pair("蜜蜂？", CHINESE), pair("蜜蜂？", CHINESE + "。真好")],
            [
                ("near_duplicates", 1, [(1, "≈ 2: 蜜蜂？")]),
                ("language_mix", 2, [(1, CHINESE), (2, CHINESE + "。真好")]),
            ],
        ),
        ([pair("Bees?", LONG), pair("Bees?", LONG.replace("e", "i"))], []),
        (
            [pair("Go?", "One two three four five."), pair("Go?", "One two three four five, six.")],
            [],
        ),
        (
            [pair("Mail?", "Dear you, your coffee is ready. Regards, {{ name }}")],
            [("placeholders", 1, [(1, "Dear you, your coffee is ready. Regards, {{ name }}")])],
        ),
        (
            [pair("Who are you, may I ask?", "I am the great CafÃ© machine of this house.")],
            [("mojibake", 1, [(1, "I am the great CafÃ© machine of this house.")])],
        ),
        (
            [pair("Who are you, may I ask?", "I am 锟斤拷 and this is my house.")],
            [("mojibake", 1, [(1, "I am 锟斤拷 and this is my house.")])],
        ),
        (
            [pair("Ring the bell, please.", "With pleasure, here it is: \x07 ding!")],
            [("control_characters", 1, [(1, r"With pleasure, here it is: \x07 ding!")])],
        ),
        (
            [
                pair(
                    "Tell me about tea, please.", "Tea is hot.<br>Milk &amp; sugar go well with it."
                )
            ],
            [("html", 1, [(1, "Tea is hot.<br>Milk &amp; sugar go well with it.")])],
        ),
        (
            [pair("Translate: good morning, my friend", "早上好，我的朋友")],
            [("other_script", 1, [(1, "Translate: good morning, my friend → 早上好，我的朋友")])],
        ),
    ],
)
def test_each_kind_beside_sound_rows(conversations, expected):
    """A word changed in a long row, another text and a short row; one fault of a text each."""
    assert told(conversations) == expected


def test_an_example_shows_120_characters_around_the_place():
    (one,) = told([pair("Tell?", "so " * 60 + "<br>" + "la " * 60)])
    assert one == ("html", 1, [(1, " so" * 13 + " <br>" + "la " * 25 + "l")])
    assert len(one[2][0][1]) == 120


def test_a_system_prompt_in_common_makes_no_near_duplicates():
    """Nor do tools: what is said differs."""
    system = {"role": "system", "content": LONG}
    rows = [
        {"messages": [system, *pair(f"Say {a}.", f"{a} is what you asked me to say.")["messages"]]}
        for a in ("no", "yes")
    ]
    assert told(rows) == []


def test_leakage_is_the_same_question_in_the_validation_data():
    """Case and white space aside, the system prompt too; the answer may differ."""
    held = found_in([pair("what  do you know about the DRUM 0?", "Nothing at all.")])
    assert told([], held_out=held) == [
        ("leakage", 1, [(-56, "What do you know about the drum 0?")]),
    ]


def test_the_files_own_validation_rows_are_looked_for_in_its_training_rows():
    """As those of a second file; copies and near ones count on one side alone. With a second file
    all of these rows are learned, and one side they are."""
    drum, bees, near = SOUND[3], pair("Bees?", LONG), pair("Bees now?", LONG + " around")
    rows = [*SOUND, bees, drum, near]
    table = table_of(rows, {"train": (0, 61), "valid": (61, 63)})
    findings = examine(found_in(rows), table=table)
    assert [(f.kind, f.rows, f.examples[0]["row"]) for f in findings] == [("leakage", 1, 4)]
    findings = examine(found_in(rows), held_out=found_in([drum]), table=table)
    assert [(f.kind, f.rows, f.examples[0]["row"]) for f in findings] == [
        ("leakage", 2, 4),
        ("duplicates", 1, 62),
        ("near_duplicates", 1, 61),
    ]


def test_one_answer_for_many_questions():
    """Six rows of less than 500 are many; five are not."""
    sorry = [pair(f"{one} or {one} {one}?", "I am sorry, I cannot.") for one in THINGS[:6]]
    (finding,) = examine(found_in(SOUND + sorry))
    assert (finding.kind, finding.rows) == ("repeated_answer", 6)
    assert finding.examples == [{"row": 61, "text": "6 x I am sorry, I cannot."}]
    assert "“I am sorry, I cannot.” (6)" in finding.advice.en
    assert finding.repair_title == Sentence("Keep 5 rows with each", "每个回答保留 5 行")
    assert examine(found_in(SOUND + sorry[:5])) == []


def test_a_second_language():
    """Two Chinese answers of 62 are 3 %; the sentence names both languages."""
    rows = [
        pair("你是谁呀，朋友？", "我是你的小助手，很高兴见到你"),
        pair("几点了呢？", "现在是下午三点整，该喝茶了"),
    ]
    (finding,) = examine(found_in(SOUND + rows))
    assert (finding.kind, finding.rows, finding.severity) == ("language_mix", 2, "info")
    assert [one["row"] for one in finding.examples] == [61, 62]
    assert ": Latin letters 97 %, Chinese 3 %." in finding.advice.en
    assert "：拉丁字母 97%、中文 3%。" in finding.advice.zh


def test_short_answers_and_few_rows():
    rows = [pair("Is it?", "Yes."), pair("Was it?", "No, never."), pair("Will it be?", LONG)]
    findings = examine(found_in(rows))
    assert [(f.kind, f.rows, f.severity) for f in findings] == [
        ("few_rows", 3, "mild"),
        ("short_answers", 2, "info"),
    ]
    assert findings[0].advice.en.startswith("Only 3 rows:")
    assert [e["text"] for e in findings[1].examples] == ["Yes.", "No, never."]


def test_what_was_dropped_is_named_by_its_reason():
    """Bad ones stand before mild ones; a reason without a name is left to the list of reasons."""
    rows = [
        {"prompt": "Hm?", "response": ""},
        {"prompt": "Hm?", "response": ["a", "b"]},
        {"messages": [{"role": "assistant", "content": "Hi"}]},
        {"prompt": ["?"], "response": "b"},
    ]
    dropped = [
        (0, Sentence("it has no answer", "没有回答")),
        (1, LIST_ANSWER),
        (2, Sentence("it does not begin with a question", "不是以提问开头")),
        (3, Sentence("a cell is an object", "有一格是对象")),
    ]
    findings = examine(found_in(SOUND, dropped), table=table_of(rows))
    assert [(f.kind, f.rows, f.examples, f.severity) for f in findings] == [
        ("empty_answers", 1, [{"row": 1, "text": '{"prompt": "Hm?", "response": ""}'}], "bad"),
        (
            "list_answers",
            1,
            [{"row": 2, "text": '{"prompt": "Hm?", "response": ["a", "b"]}'}],
            "bad",
        ),
        (
            "role_order",
            1,
            [{"row": 3, "text": '{"messages": [{"role": "assistant", "content": "Hi"}]}'}],
            "bad",
        ),
    ]
    (without_table, *_) = examine(found_in(SOUND, dropped[:1]))
    assert without_table.examples == [{"row": 1, "text": "it has no answer"}]


def test_two_answers_and_a_last_turn_of_the_user():
    """One answer twice, or in one column only, is no fault; nor is a prompt beside its answer."""
    turns = [{"role": "user", "content": "Hi"}]
    rows = [
        {"prompt": "Hm?", "output": "a", "response": "b"},
        {"prompt": "Hm?", "output": "a", "response": "a "},
        {"prompt": "Hm?", "output": None, "response": "b"},
        {"messages": turns},
        {"messages": turns, "chosen": "b"},
    ]
    findings = examine(found_in(SOUND), table=table_of(rows))
    assert [(f.kind, f.rows, f.examples) for f in findings] == [
        ("two_answers", 1, [{"row": 1, "text": "output: a | response: b"}]),
        (
            "ends_with_user",
            1,
            [{"row": 4, "text": '{"messages": [{"role": "user", "content": "Hi"}]}'}],
        ),
    ]
    assert "in output, response;" in findings[0].advice.en


def test_what_the_tokens_show():
    """Row 2 is cut at half its length, where its text is shown; row 3 holds nothing to learn."""
    rows = [*SOUND[:1], pair("Go?", "0123456789" * 100), *SOUND[2:]]
    count = len(rows)
    total, trained, lost = (numpy.full(count, n) for n in (20, 5, 0))
    total[1], lost[1], trained[2] = 40, 20, 0
    turns, unread = numpy.ones(count, int), numpy.zeros(count, bool)
    lengths = Lengths(total, trained, lost, turns, unread, end_is_learned=False, max_length=20)
    findings = examine(found_in(rows), lengths=lengths)
    assert [(f.kind, f.rows, [(e["row"], e["text"]) for e in f.examples]) for f in findings] == [
        ("end_not_learned", count, []),
        (
            "nothing_to_learn",
            1,
            [(3, "What do you know about the candle 0? The candle number 0 is a tall candle.")],
        ),
        ("too_long", 1, [(2, "89" + "0123456789" * 11 + "01234567")]),
    ]
    for finding in findings[:2]:
        assert 'Raise "Longest row, tokens" (max_length)' in finding.advice.en
        assert "请调大“最长一条（token）”（max_length）" in finding.advice.zh
    assert findings[2].advice == Sentence(
        "Longer than 20 tokens; the longest has 40. 20 tokens at their ends (1.6 % of all) are cut "
        "off and not learned.",
        "超过 20 个 token，最长的有 40 个。末尾共 20 个 token（占全部的 1.6%）会被截掉，学不到。",
    )
    learned = replace(lengths, end_is_learned=True)
    kinds = [finding.kind for finding in examine(found_in(rows), lengths=learned)]
    assert kinds == ["nothing_to_learn", "too_long"]
    rows[3] = thinking("Where?", "There.", "It was here.")
    unread[3] = True
    last = examine(found_in(rows), lengths=lengths)[-1]
    assert (last.kind, last.rows) == ("reasoning_not_read", 1)
    assert last.examples == [{"row": 4, "text": "It was here."}]


def test_faults_of_reasoning_are_found():
    """It is learned as the answer is."""
    (finding,) = examine(found_in([*SOUND, thinking("Where?", "There it is now.", "&nbsp;Here")]))
    assert (finding.kind, finding.examples) == ("html", [{"row": 61, "text": "&nbsp;Here"}])


def test_a_call_of_a_tool_is_no_short_answer():
    """Half of the answers are short when texts are short, not when there is none."""
    call = {"role": "assistant", "content": "", "tool_calls": []}
    calls = [{"messages": [{"role": "user", "content": f"{one}?"}, call]} for one in THINGS * 9]
    kinds = [finding.kind for finding in examine(found_in(SOUND + calls))]
    assert kinds == ["duplicates"]


def test_plain_text_is_examined_too():
    """Copies and faults, and no word about answers."""
    rows = [{"text": f"{one} {LONG[::-1][n:]}"} for n, one in enumerate(THINGS)]
    findings = examine(found_in([*SOUND, rows[0], rows[0], {"text": "Hi &nbsp; there"}]))
    assert [(f.kind, f.rows) for f in findings] == [("duplicates", 1), ("html", 1)]
