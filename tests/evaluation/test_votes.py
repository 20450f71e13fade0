"""Votes as rows on disk, and what they say of a voice against its base."""

import json
import os

import pytest

from engine.dataset.meaning.formats import to_conversations
from engine.dataset.reading.read import read_table
from engine.errors import UserError
from engine.evaluation import votes
from engine.evaluation.votes import TIE, Standing, cast, decided, standings, wilson

QUESTION = [{"role": "user", "content": "Who are you? 你是谁？\u2028"}]
ASKED = dict.fromkeys(("base", "a", "b"), QUESTION)
SAID = {"base": "I am sprout.", "a": "Aye.", "b": "Oh."}


def of(*voices):
    return {voice: QUESTION for voice in voices}, {voice: SAID[voice] for voice in voices}


def test_a_vote_is_a_preference_row_for_each_that_lost(runs_folder, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_700_000_000)
    cast("sprout", ASKED | {"b": [*QUESTION, *QUESTION]}, SAID, "a")
    first, second = decided()
    assert first.pop("vote") == second.pop("vote")
    row = {
        "prompt": QUESTION,
        "chosen": [{"role": "assistant", "content": "Aye."}],
        "rejected": [{"role": "assistant", "content": "I am sprout."}],
        "chosen_voice": "a",
        "rejected_voice": "base",
        "same_prompt": True,
        "model": "sprout",
        "time": "2023-11-14T22:13:20+00:00",
    }
    assert first == row
    other = {"rejected": [{"role": "assistant", "content": "Oh."}], "rejected_voice": "b"}
    assert second == row | other | {"same_prompt": False}
    assert [one.name for one in (runs_folder / "votes").iterdir()] == ["decided.jsonl"]


def test_a_vote_on_a_character_with_a_greeting_can_be_learned_from(runs_folder):
    """Rows begin with a question; the greeting stands before it."""
    asked = [
        {"role": "system", "content": "You are Mara."},
        {"role": "user", "content": "Who are you?"},
    ]
    read = [asked[0], {"role": "assistant", "content": "Aye, come in."}, asked[1]]
    said = {"base": "No.", "a": "Aye."}
    cast("sprout", {"base": read, "a": read}, said, "a")
    cast("sprout", {"base": read, "a": read}, said, TIE)
    assert [one["prompt"] for one in decided()] == [asked]
    (tie,) = [json.loads(line) for line in (runs_folder / "votes/ties.jsonl").open()]
    assert tie["prompt"] == asked
    found = to_conversations(read_table(runs_folder / "votes/decided.jsonl"))
    assert [one["messages"] for one in found.conversations] == [
        [*asked, {"role": "assistant", "content": "Aye."}]
    ]


def test_the_rows_are_read_by_those_who_train_on_preferences(runs_folder):
    from datasets import load_dataset

    cast("sprout", *of("base", "a"), "a")
    table = load_dataset("json", data_files=str(runs_folder / "votes/decided.jsonl"))["train"]
    assert {"prompt", "chosen", "rejected"} < set(table.column_names)
    assert table[0]["chosen"] == [{"role": "assistant", "content": "Aye."}]


def test_votes_are_counted_against_the_base_of_the_same_model():
    """Of three, a vote for one says nothing of the other against the base; a tie says it of all."""
    cast("sprout", ASKED, SAID, "a")
    cast("sprout", *of("base", "a"), "base")
    cast("sprout", ASKED, SAID, TIE)
    cast("other", *of("base", "a"), "a")
    cast("sprout", *of("a", "b"), "a")  # the base was not there
    assert standings() == [
        Standing("sprout", "a", wins=1, losses=1, ties=1),
        Standing("other", "a", wins=1, losses=0, ties=0),
        Standing("sprout", "b", wins=0, losses=0, ties=1),
    ]
    first = standings()[0]
    assert (first.votes, first.rate) == (3, 0.5)
    assert first.interval == wilson(1.5, 3)
    assert standings()[2].rate == 0.5


def test_a_tie_is_no_preference(runs_folder):
    cast("sprout", *of("base", "a"), TIE)
    assert decided() == []
    (row,) = [json.loads(line) for line in (runs_folder / "votes/ties.jsonl").open()]
    assert (row["voices"], row["prompt"]) == (["base", "a"], QUESTION)
    assert [one[0]["content"] for one in row["answers"]] == ["I am sprout.", "Aye."]


def test_who_said_the_same_as_the_best_did_not_lose(runs_folder):
    """A preference between equal words would teach nothing; the two are tied."""
    said = {"base": "Aye.", "a": "Aye. ", "b": "Oh."}
    cast("sprout", ASKED, said, "a")
    assert [(one["chosen_voice"], one["rejected_voice"]) for one in decided()] == [("a", "b")]
    (tie,) = [json.loads(line) for line in (runs_folder / "votes/ties.jsonl").open()]
    assert (tie["voices"], tie["vote"]) == (["a", "base"], decided()[0]["vote"])
    assert standings() == [Standing("sprout", "a", wins=0, losses=0, ties=1)]


@pytest.mark.parametrize(
    ("wins", "votes", "low", "high"),
    [
        (0, 1, 0.0, 0.79345),
        (1, 1, 0.20655, 1.0),
        (5, 10, 0.23659, 0.76341),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_the_interval_is_wilsons(wins, votes, low, high):
    """81 of 263 as in Newcombe 1998, table I."""
    assert wilson(wins, votes) == pytest.approx((low, high), abs=5e-5)


def test_who_did_not_answer_cannot_win(runs_folder):
    with pytest.raises(UserError, match="^nobody did not answer"):
        cast("sprout", *of("base", "a"), "nobody")
    assert not runs_folder.exists()


def test_a_full_disk_is_a_sentence_and_leaves_whole_rows(monkeypatch):
    cast("sprout", *of("base", "a"), "a")
    before = decided()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"\(No space left"):
        cast("sprout", *of("base", "a"), "a")
    assert decided() == before


def test_what_a_killed_writer_left_of_a_row_is_no_row(runs_folder):
    cast("sprout", *of("base", "a"), "a")
    with (runs_folder / "votes" / votes.DECIDED).open("a") as file:
        file.write('{"prompt": [{"ro')
    assert len(decided()) == 1
    cast("sprout", *of("base", "a"), "base")
    assert [row["chosen_voice"] for row in decided()] == ["a", "base"]
