"""The chat on ZeroGPU: each question is answered with a GPU lent for it, as by the chat process."""

import pytest

from engine.chat import client, lent, process
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import runs

TURNS = [{"role": "user", "content": "Hello"}]
GREEDY = {"temperature": 0, "max_new_tokens": 5}


@pytest.fixture
def spaces(zerogpu, monkeypatch):
    """The client on a ZeroGPU Space, with a worker that holds nothing yet."""
    monkeypatch.setattr(client, "_child", lent.Lent())
    monkeypatch.setattr(process, "_voices", None)
    yield zerogpu
    client.unload()


def test_load_chat_stop_and_unload(spaces, tiny_model_folder, make_adapter, monkeypatch):
    """No GPU is asked for what is known; a worker that is new loads the base by itself."""
    run = runs.create(TrainConfig(model_name_or_path=str(tiny_model_folder)))
    make_adapter(run / "adapter", 1)
    loaded = client.load(str(tiny_model_folder), [run.name])
    assert loaded["voices"] == ["base", run.name]
    assert client.load(str(tiny_model_folder), [run.name]) is loaded
    assert spaces.asked == [20]

    histories = dict.fromkeys(loaded["voices"], TURNS)
    *_, first = client.chat(histories, **GREEDY)
    assert all(one["done"] for one in first.values())
    assert len({one["checksum"] for one in first.values()}) == 2
    held = process._voices
    monkeypatch.setattr(process, "_voices", None)
    *_, again = client.chat(histories, **GREEDY)
    assert process._voices is not held
    assert [one["text"] for one in again.values()] == [one["text"] for one in first.values()]
    assert [one["checksum"] for one in again.values()] == [
        one["checksum"] for one in first.values()
    ]

    answers = client.chat({"base": TURNS}, temperature=2, max_new_tokens=500)
    next(answers)
    client.stop()
    *_, end = answers
    assert end["base"]["stopped_by"] == "stop"
    assert spaces.asked == [20, 21, 21, 54]
    client.unload()
    assert client.status() is None
    with pytest.raises(UserError, match="No model is loaded"):
        list(client.chat({"base": TURNS}))


def test_whoever_leaves_ends_the_answer(spaces, tiny_model_folder):
    """The next question is answered at once, and is not taken for stopped."""
    client.load(str(tiny_model_folder), [])
    answers = client.chat({"base": TURNS}, temperature=2, max_new_tokens=4000)
    next(answers)
    answers.close()
    *_, last = client.chat({"base": TURNS}, **GREEDY)
    assert (last["base"]["done"], last["base"]["stopped_by"]) == (True, "length")


def test_a_users_mistake_comes_through_with_its_field(spaces, tiny_model_folder):
    client.load(str(tiny_model_folder), [])
    with pytest.raises(UserError, match="The voice nobody is not loaded") as raised:
        list(client.chat({"nobody": TURNS}))
    assert raised.value.field == "adapter"


def test_no_quota_is_a_sentence_and_the_model_stays_chosen(spaces, tiny_model_folder):
    spaces.refusal = RuntimeError("'You have exceeded your free ZeroGPU quota.'")
    with pytest.raises(
        UserError, match=r"took it back: You have exceeded your free ZeroGPU quota\. "
    ):
        client.load(str(tiny_model_folder), [])
    assert client.status() is None
    spaces.refusal = None
    loaded = client.load(str(tiny_model_folder), [])
    spaces.refusal = RuntimeError("GPU task aborted")
    with pytest.raises(UserError, match=r"took it back: GPU task aborted\. Try again later"):
        list(client.chat({"base": TURNS}))
    assert client.status() == loaded


@pytest.mark.parametrize(
    ("call", "arguments", "asked"),
    [
        ("load", {}, 20),
        ("chat", {"settings": {"max_new_tokens": 256}}, 38),
        ("chat", {"settings": {"max_new_tokens": 4096}}, 60),
        ("chat", {"own": {"a": {"max_new_tokens": 9}}, "settings": {"max_new_tokens": 256}}, 38),
        ("chat", {"own": {"a": {"max_new_tokens": 300}}, "settings": {"max_new_tokens": 9}}, 40),
        ("evaluate", {"count": 9, "settings": {"max_new_tokens": 150}}, 40),
        ("evaluate", {"count": 200, "settings": {"max_new_tokens": 256}}, 120),
    ],
)
def test_the_seconds_follow_what_may_be_answered(call, arguments, asked):
    assert lent.seconds({}, call, arguments) == asked
