"""Each format exactly, what it loses, and back again."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dataset.making.convert import FORMATS, Converted, convert, losses
from engine.dataset.making.losses import LOSSES, told
from engine.dataset.making.write import ENDINGS
from engine.dataset.meaning.formats import to_conversations
from engine.dataset.meaning.reasons import NO_ANSWER, NOT_TEXT
from engine.dataset.reading.read import read_table
from engine.dataset.reading.store import Stored
from engine.dataset.weight import UNLEARNED
from engine.errors import UserError


def found(*conversations, mapping=None, sources=None, shapes=None, dropped=()):
    """Only what converting looks at."""
    return SimpleNamespace(
        conversations=Stored(conversations),
        mapping=mapping or {},
        sources=sources or list(range(len(conversations))),
        shapes=Counter(shapes or {}),
        dropped=dropped,
    )


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def call(*functions):
    calls = [{"type": "function", "function": one} for one in functions]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def tool(text):
    return {"role": "tool", "content": text}


def read_back(path):
    return list(to_conversations(read_table(path)).conversations)


SYSTEM = {"role": "system", "content": "Be kind."}
TALK = [SYSTEM, user("Hi"), assistant("Yes."), user("走吗"), assistant("不。")]
FIND = {"name": "find", "arguments": {"place": "Ulm", "near": {"km": 3}}}
STOP = {"name": "stop", "arguments": {}}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find",
            "description": "Finds a place.",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        },
    }
]
USED = {
    "messages": [user("Where?"), call(FIND), tool('{"found": 1}'), assistant("Here.")],
    "tools": TOOLS,
}
PLAIN = {"text": "Once.\nTwice."}

EXPECTED = {
    "messages": [
        {"messages": TALK},
        USED,
        {"messages": [assistant("Once.\nTwice.")]},
    ],
    "alpaca": [
        {"instruction": "走吗", "input": "", "output": "不。", "system": "Be kind.",
         "history": [["Hi", "Yes."]]},
        {"instruction": "Where?", "input": "", "output": "Here."},
        {"instruction": "", "input": "", "output": "Once.\nTwice."},
    ],
    "sharegpt": [
        {"conversations": [
            {"from": "human", "value": "Hi"},
            {"from": "gpt", "value": "Yes."},
            {"from": "human", "value": "走吗"},
            {"from": "gpt", "value": "不。"},
        ], "system": "Be kind."},
        {"conversations": [
            {"from": "human", "value": "Where?"},
            {"from": "function_call", "value": json.dumps(FIND)},
            {"from": "observation", "value": '{"found": 1}'},
            {"from": "gpt", "value": "Here."},
        ], "tools": json.dumps(TOOLS)},
        {"conversations": [{"from": "gpt", "value": "Once.\nTwice."}]},
    ],
    "prompt-completion": [
        {"prompt": "Hi", "completion": "Yes."},
        {"prompt": "走吗", "completion": "不。"},
        {"prompt": "Where?", "completion": "Here."},
        {"prompt": "", "completion": "Once.\nTwice."},
    ],
    "context-target": [
        {"context": "Instruction: Hi\nAnswer: ", "target": "Yes."},
        {"context": "Instruction: 走吗\nAnswer: ", "target": "不。"},
        {"context": "Instruction: Where?\nAnswer: ", "target": "Here."},
        {"context": "", "target": "Once.\nTwice."},
    ],
    "text": [
        {"text": "System: Be kind.\nUser: Hi\nAssistant: Yes.\nUser: 走吗\nAssistant: 不。"},
        {"text": f'User: Where?\nAssistant: {json.dumps(FIND)}\nTool: {{"found": 1}}\n'
                 "Assistant: Here."},
        PLAIN,
    ],
}  # fmt: skip
LOST = {
    "messages": {"plain": 1},
    "alpaca": {"tools": 1, "plain": 1},
    "sharegpt": {"plain": 1},
    "prompt-completion": {"system": 1, "turns": 1, "tools": 1, "plain": 1},
    "context-target": {"system": 1, "turns": 1, "tools": 1, "plain": 1},
    "text": {"roles": 2, "described": 1},
}


@pytest.mark.parametrize("to", FORMATS)
def test_each_format_exactly(tmp_path, to):
    """The rows, how many, and what was lost; the same is said before as is counted after."""
    source = found({"messages": TALK}, USED, PLAIN)
    said = losses(source, to)
    done = convert(source, to, tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == EXPECTED[to]
    assert done == Converted(len(EXPECTED[to]), LOST[to])
    assert said == LOST[to]


def test_several_calls_at_once_are_a_list_in_sharegpt(tmp_path):
    used = {"messages": [user("Go"), call(FIND, STOP), tool("1"), tool("2"), assistant("Done.")]}
    convert(found(used), "sharegpt", tmp_path / "out.json")
    turns = json.loads((tmp_path / "out.json").read_text())[0]["conversations"]
    assert turns[1:4] == [
        {"from": "function_call", "value": json.dumps([FIND, STOP])},
        {"from": "observation", "value": "1"},
        {"from": "observation", "value": "2"},
    ]


def test_a_turn_that_ends_with_a_call_has_no_answer_in_words(tmp_path):
    """It becomes no pair, nor does a question at the end; the turn between them does."""
    turns = [user("Go"), call(STOP), tool("ok"), user("And?"), assistant("Done."), user("Bye")]
    used = {"messages": turns}
    assert convert(found(used), "prompt-completion", tmp_path / "out.jsonl") == Converted(
        1, {"tools": 1, "turns": 1}
    )
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "prompt": "And?",
        "completion": "Done.",
    }


@pytest.mark.parametrize("to", FORMATS)
def test_answers_that_are_not_learned_are_told(tmp_path, to):
    """OpenAI's messages alone can say so; of text the loss is told that all of it is learned."""
    source = found(
        {"messages": [user("Hi"), assistant("Ho.") | UNLEARNED, user("So?"), assistant("Yes.")]}
    )
    lost = convert(source, to, tmp_path / "out.jsonl").lost
    assert ("unlearned" in lost) == (to not in ("messages", "text"))
    assert lost == losses(source, to)


def test_an_empty_answer_stays_in_the_history(tmp_path):
    """It was said, if nothing; without it the turns would be fewer than they were."""
    convert(found(talk(None, [("a", ""), ("b", "c")])), "alpaca", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "instruction": "b",
        "input": "",
        "output": "c",
        "history": [["a", ""]],
    }


@pytest.mark.parametrize("to", ["prompt-completion", "context-target"])
def test_an_empty_answer_is_no_row_of_its_own(tmp_path, to):
    source = found(talk(None, [("a", ""), ("b", "c")]))
    assert convert(source, to, tmp_path / "out.jsonl") == Converted(1, {"turns": 1})
    assert list(json.loads((tmp_path / "out.jsonl").read_text()).values())[1] == "c"


def test_nothing_but_calls_is_a_sentence(tmp_path):
    """An empty file would be no use, and what stood there before stays."""
    out = tmp_path / "out.jsonl"
    out.write_text("old")
    with pytest.raises(UserError, match="Nothing in this dataset can be written as alpaca") as e:
        convert(found({"messages": [user("Go"), call(STOP)]}), "alpaca", out)
    assert e.value.field == "to"
    assert out.read_text() == "old"


def test_every_loss_has_its_sentence():
    kinds = {kind for counts in LOST.values() for kind in counts}
    assert kinds | {"unlearned", "wordless", "rejected", "nul"} == set(LOSSES)
    assert all("{rows}" in text for sentence in LOSSES.values() for text in sentence)


def test_what_is_not_written_is_told(tmp_path):
    """Rows that nobody could read by their reasons, conversations without words, rejected answers;
    the same before as after."""
    silent = {"messages": [user("Go"), call(STOP)]}
    drops = [(0, NO_ANSWER), (4, NOT_TEXT), (5, NO_ANSWER)]
    source = found(silent, talk(None, [("Hi", "Yes.")]), shapes={"preference": 1}, dropped=drops)
    done = convert(source, "alpaca", tmp_path / "out.jsonl")
    assert done == Converted(1, {"rejected": 1, "tools": 1, "wordless": 1})
    assert losses(source, "alpaca") == done.lost
    assert [one.en for one in told(source, done.lost)] == [
        "2 rows cannot be learned from and are not written: it has no answer.",
        "1 rows cannot be learned from and are not written: a cell is a list or an object, not "
        "text.",
        *(LOSSES[kind].en.format(rows=1) for kind in ("rejected", "tools", "wordless")),
    ]
    assert told(source, {})[0].zh == "2 行无法学习，没有写入：没有回答。"


def test_what_no_csv_can_hold_is_taken_out(tmp_path):
    """With a NUL the file would be no text; a conversation in JSON has its own way to write it."""
    one = talk(None, [("a\0b", "c")])
    assert convert(found(one), "alpaca", tmp_path / "out.csv") == Converted(1, {"nul": 1})
    (row,) = read_table(tmp_path / "out.csv").rows
    assert row == {"instruction": "ab", "input": "", "output": "c"}
    for to, name in (("alpaca", "out.jsonl"), ("messages", "out.csv")):
        assert convert(found(one), to, tmp_path / name) == Converted(1, {})
        assert read_back(tmp_path / name) == [one]


def test_a_question_of_two_columns_stands_in_two_again(tmp_path):
    """Alpaca's instruction and input are told apart by the row that the conversation came from;
    row 1 was dropped, and row 4's question was changed since."""
    table = SimpleNamespace(
        rows=Stored(
            [
                {"instruction": " Sum up ", "input": "One. Two.", "output": "1 2"},
                {"instruction": "Dropped", "input": "x", "output": ""},
                {"instruction": "Add", "input": "1 and 2", "output": "3"},
                {"instruction": "Say hi", "input": "", "output": "Hi."},
                {"instruction": "Old", "input": "text", "output": "New."},
            ]
        ),
        splits={},
    )
    source = found(
        {"messages": [user("Sum up\nOne. Two."), assistant("1 2")]},
        {"messages": [user("Add\n1 and 2"), assistant("3")]},
        {"messages": [user("Say hi"), assistant("Hi.")]},
        {"messages": [user("Newer\ntext"), assistant("New.")]},
        mapping={"instruction": "user", "input": "input", "output": "assistant"},
        sources=[0, 2, 3, 4],
    )
    convert(source, "context-target", tmp_path / "out.json", table)
    assert json.loads((tmp_path / "out.json").read_text()) == [
        {"context": "Instruction: Sum up\nInput: One. Two.\nAnswer: ", "target": "1 2"},
        {"context": "Instruction: Add\nInput: 1 and 2\nAnswer: ", "target": "3"},
        {"context": "Instruction: Say hi\nAnswer: ", "target": "Hi."},
        {"context": "Instruction: Newer\ntext\nAnswer: ", "target": "New."},
    ]
    convert(source, "alpaca", tmp_path / "out.json", table)
    assert json.loads((tmp_path / "out.json").read_text()) == [
        {"instruction": "Sum up", "input": "One. Two.", "output": "1 2"},
        {"instruction": "Add", "input": "1 and 2", "output": "3"},
        {"instruction": "Say hi", "input": "", "output": "Hi."},
        {"instruction": "Newer\ntext", "input": "", "output": "New."},
    ]


def test_an_unknown_format_names_the_known(tmp_path):
    with pytest.raises(UserError, match="'xml' is no format; choose one of messages, alpaca") as e:
        convert(found(PLAIN), "xml", tmp_path / "out")
    assert e.value.field == "to"
    with pytest.raises(UserError, match="'xml' is no format"):
        losses(found(PLAIN), "xml")


def test_an_unknown_ending_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="let its name end in .json, .jsonl") as raised:
        convert(found(PLAIN), "text", tmp_path / "out.xml")
    assert raised.value.field == "out"


# Words as people write them; control characters and half characters are the reader's and the
# doctor's, and no content here looks like the marks of another format.
words = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=":：#<"), min_size=1
)
texts = st.lists(words, min_size=1, max_size=3).map("\n".join).map(str.strip).filter(bool)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
json_values = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | words
functions = st.fixed_dictionaries(
    {"name": names, "arguments": st.dictionaries(names, json_values, max_size=3)}
)
systems = st.none() | texts


def talk(system, turns):
    head = [{"role": "system", "content": system}] if system else []
    return {"messages": head + [m for q, a in turns for m in (user(q), assistant(a))]}


pairs = st.builds(lambda q, a: talk(None, [(q, a)]), texts, texts)
talks = st.builds(talk, systems, st.lists(st.tuples(texts, texts), min_size=1, max_size=3))


def described(function):
    parameters = {"type": "object", "properties": {name: {} for name in function["arguments"]}}
    one = {"name": function["name"], "description": "A tool.", "parameters": parameters}
    return {"type": "function", "function": one}


@st.composite
def tool_talks(draw):
    """Turns, some of which go through one or more calls and their results."""
    one = draw(talks)
    called, messages = [], []
    for message in one["messages"]:
        if message["role"] == "assistant" and draw(st.booleans()):
            several = draw(st.lists(functions, min_size=1, max_size=2))
            called += several
            messages += [call(*several), *(tool(draw(texts)) for _ in several)]
        messages.append(message)
    listed = [described(function) for function in called]
    return {"messages": messages} | ({"tools": listed} if called else {})


HELD = {
    "messages": tool_talks(),
    "sharegpt": tool_talks(),
    "alpaca": talks,
    "prompt-completion": pairs,
    "context-target": pairs,
    "text": texts.map(lambda text: {"text": text}),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("to", FORMATS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_there_and_back_is_equal(tmp_path_factory, to, ending, data):
    """What a format can hold comes back from every kind of file, and none of it counts as lost."""
    rows = data.draw(st.lists(HELD[to], min_size=1, max_size=4))
    out = tmp_path_factory.mktemp("converted") / f"out{ending}"
    assert convert(found(*rows), to, out) == Converted(len(rows), {})
    assert read_back(out) == rows


def test_alpaca_there_and_back_keeps_its_columns(tmp_path):
    """A file of Alpaca rows, understood and written as Alpaca, is the same rows."""
    rows = [
        {"instruction": "Sum up", "input": "One.", "output": "1", "system": "Be kind."},
        {"instruction": "Hi", "input": "", "output": "Yes.", "history": [["A", "B"]]},
    ]
    source = tmp_path / "in.json"
    source.write_text(json.dumps(rows))
    table = read_table(source)
    convert(to_conversations(table), "alpaca", tmp_path / "out.jsonl", table)
    assert list(read_table(tmp_path / "out.jsonl").rows) == rows


def test_context_target_comes_back_without_its_frame(tmp_path):
    """Instruction and Input lines are a frame, not part of the question."""
    rows = [{"instruction": "Sum up", "input": "One. Two.", "output": "1 2"}]
    (tmp_path / "in.json").write_text(json.dumps(rows))
    table = read_table(tmp_path / "in.json")
    understood = to_conversations(table)
    convert(understood, "context-target", tmp_path / "out.jsonl", table)
    assert read_back(tmp_path / "out.jsonl") == list(understood.conversations)


def test_losses_count_conversations_once():
    """A conversation of four turns and three calls is one loss of each kind."""
    many = talk("S", [("a", "b")] * 4)
    many["messages"][2:2] = [call(STOP, STOP), tool("1"), tool("2"), call(STOP), tool("3")]
    assert losses(found(many, many), "prompt-completion") == Counter(system=2, tools=2, turns=2)


def test_reasoning_stays_in_every_format(tmp_path):
    """As a field where turns have fields, otherwise in the words of the answer."""
    one = talk(None, [("Hi", "Yes.")])
    one["messages"][1]["reasoning_content"] = "Hm."
    words = "<think>\nHm.\n</think>\n\nYes."
    told = {"from": "gpt", "value": "Yes.", "reasoning_content": "Hm."}
    written = {
        "messages": one,
        "alpaca": {"instruction": "Hi", "input": "", "output": words},
        "sharegpt": {"conversations": [{"from": "human", "value": "Hi"}, told]},
        "prompt-completion": {"prompt": "Hi", "completion": words},
        "text": {"text": f"User: Hi\nAssistant: {words}"},
    }
    for to, row in written.items():
        convert(found(one), to, tmp_path / f"{to}.jsonl")
        assert list(read_table(tmp_path / f"{to}.jsonl").rows) == [row], to
    assert read_back(tmp_path / "sharegpt.jsonl") == [one]


def test_the_files_own_splits_stay(tmp_path):
    """Each row in the split that it came from, however many a conversation makes; one list of rows
    would train on what is held back, and is refused in a sentence that says so."""
    talk_of_two = talk(None, [("a", "b"), ("c", "d")])
    splits = {"train": [talk_of_two], "dev": [talk(None, [("e", "f")])], "test": []}
    (tmp_path / "in.json").write_text(json.dumps(splits))
    table = read_table(tmp_path / "in.json")
    done = convert(to_conversations(table), "prompt-completion", tmp_path / "out.json", table)
    assert done == Converted(3, {"turns": 1})
    written = {
        "train": [{"prompt": "a", "completion": "b"}, {"prompt": "c", "completion": "d"}],
        "dev": [{"prompt": "e", "completion": "f"}],
        "test": [],
    }
    assert json.loads((tmp_path / "out.json").read_text()) == written
    assert read_table(tmp_path / "out.json").splits == {
        "train": (0, 2),
        "dev": (2, 3),
        "test": (3, 3),
    }
    with pytest.raises(UserError) as raised:
        convert(to_conversations(table), "messages", tmp_path / "out.csv", table)
    assert raised.value.field == "out"
    assert raised.value.sentence.en == (
        "out.csv holds one list of rows, but this file brings parts of its own (train 1, dev 1, "
        "test 0), and what is held back for validation would be trained on. Let the name end in "
        ".json, which keeps the parts."
    )
    assert not (tmp_path / "out.csv").exists()
