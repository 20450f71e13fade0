"""What was said as plain data: what is hidden, what a vote reveals."""

from ui import conversation
from ui.conversation import new_talk, talk_with, up_to

VOICES = ["base", "a", "b"]
DONE = {"text": "Yes.", "done": True}


def turn(question, **more):
    return {"question": question, "answers": {v: DONE | {"text": v} for v in VOICES}} | more


def test_a_talk_goes_on_while_the_voices_are_the_same():
    talk = new_talk(VOICES) | {"turns": [turn("One?"), turn("Two?")]}
    assert talk_with(talk, list(VOICES)) is talk
    assert talk_with(talk, ["base"]) == new_talk(["base"])
    assert up_to(talk, 3) == (talk | {"turns": talk["turns"][:1]}, "Two?")
    assert up_to(new_talk(VOICES), 0) == (new_talk(VOICES), "")


def test_blind_turns_are_shuffled_and_each_order_comes():
    seen = set()
    for _ in range(200):
        blind = conversation.blinded(turn("One?"), VOICES)
        assert sorted(blind["order"]) == sorted(VOICES)
        assert blind["hidden"]
        seen.add(tuple(blind["order"]))
    assert len(seen) == 6


def test_a_vote_is_waited_for_when_all_have_answered_and_reveals_the_names():
    blind = conversation.blinded(turn("One?"), VOICES)
    talk = {"voices": VOICES, "turns": [turn("Zero?"), blind]}
    assert conversation.waits_for_a_vote(talk)
    going = blind | {"answers": blind["answers"] | {"a": DONE | {"done": False}}}
    assert not conversation.waits_for_a_vote(talk | {"turns": [going]})
    assert not conversation.waits_for_a_vote(talk | {"turns": [blind | {"answers": {}}]})
    assert not conversation.waits_for_a_vote({"voices": VOICES, "turns": [turn("Zero?")]})
    after = conversation.voted(talk, "a")
    assert after["turns"] == [talk["turns"][0], blind | {"hidden": False, "vote": "a"}]
    assert not conversation.is_hidden(after)
    assert talk["turns"][1]["hidden"]
    opened = conversation.revealed(talk)
    assert opened["turns"] == [talk["turns"][0], blind | {"hidden": False}]
    assert conversation.order(opened["turns"][1], VOICES) == blind["order"]
    assert conversation.order(opened["turns"][0], VOICES) == VOICES
