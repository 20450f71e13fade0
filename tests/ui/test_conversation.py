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


def test_the_others_turns_stay_when_a_voice_is_gone():
    """Of three two are left, then one, which has nothing to hide; others begin anew."""
    blind = turn("Two?", order=["b", "a", "base"], hidden=True)
    talk = new_talk(VOICES, "mara", "Aye.") | {"turns": [turn("One?"), blind]}
    two = conversation.without_the_gone(talk, ["base", "b"])
    said = {voice: DONE | {"text": voice} for voice in ("base", "b")}
    assert two == talk | {
        "voices": ["base", "b"],
        "turns": [
            {"question": "One?", "answers": said},
            {"question": "Two?", "answers": said, "order": ["b", "base"], "hidden": True},
        ],
    }
    one = conversation.without_the_gone(two, ["base"])
    assert [t["answers"] for t in one["turns"]] == 2 * [{"base": said["base"]}]
    assert (one["turns"][1]["order"], one["turns"][1]["hidden"]) == (["base"], False)
    assert conversation.without_the_gone(talk, ["c"]) is talk
    assert len(talk["turns"][0]["answers"]) == 3


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
