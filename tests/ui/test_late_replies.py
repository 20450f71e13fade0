"""What a person does while a reply is on its way is neither dropped nor written over."""

import gradio as gr
import pytest

from engine import launch
from engine.chat.conversations import BASE
from engine.config import TrainConfig
from engine.training import runs
from ui import chat_asking, chat_parts, conversation, export_parts, page, run_side, show_me
from ui import keep_answers as keeping
from ui.chosen import Chosen
from ui.tab_export import _choices


@pytest.fixture(scope="module")
def built():
    return page.build()


def events(built, name, room):
    """Those of the handlers of that name in that room."""
    found = [one for one in built.fns.values() if one.name == name]
    return [one for one in found if one.fn.__module__ == f"ui.{room}"]


def by_id(updates):
    """{elem_id: update}, of the components that have one."""
    return {one.elem_id: update for one, update in updates.items() if one.elem_id}


def test_no_choice_is_dropped(built):
    """Gradio's "once" drops an event that comes while the one before is on its way. A click may be
    dropped, a choice may not."""
    handled = [one for one in built.fns.values() if one.fn]
    chosen = [one for one in handled if "input" in [event for _, event in one.targets]]
    assert len(chosen) > 20
    assert [one.name for one in chosen if one.trigger_mode == "once"] == []


@pytest.mark.parametrize(
    ("name", "room"),
    [("show", "recipes"), ("look_at_needs", "tab_export"), ("load", "tab_chat")],
)
def test_what_takes_long_is_done_for_the_last_choice(built, name, room):
    """What a recipe needs, what an export needs, the voices that are loaded."""
    assert {one.trigger_mode for one in events(built, name, room)} == {"always_last"}


def test_every_row_that_is_clicked_is_shown_in_turn(built):
    """Not only the last: an event that waits comes with the data of the one before."""
    (pick,) = events(built, "pick", "tab_runs")
    assert (pick.trigger_mode, pick.queue, pick.concurrency_limit) == ("multiple", True, "default")


def test_yes_and_save_are_about_the_run_that_was_asked_about(built):
    """Another may be selected by now: that one was deleted on another page."""
    asks = events(built, "ask", "tab_runs")
    for ask, answer in zip(asks, ("save", "delete"), strict=True):
        (asked,) = (one for one in ask.outputs if isinstance(one, gr.State))
        path = runs.create(TrainConfig())
        assert ask.fn(path.name, None)[asked] == path.name
        (event,) = events(built, answer, "tab_runs")
        assert [one for one in event.inputs if isinstance(one, gr.State)] == [asked]


def test_a_question_about_a_run_closes_when_it_is_gone(built):
    look = next(one.fn for one in built.fns.values() if one.fn.__module__ == "ui.tab_runs")
    here = runs.create(TrainConfig()).name
    gone = by_id(look("", "calm-otter-ffff", None))
    assert (gone["runs_ask_rename"].visible, gone["runs_ask_delete"].visible) == (False, False)
    assert "runs_ask_delete" not in by_id(look("", here, None))


def test_retry_hides_itself_with_its_first_reply(built):
    """Or a second press would take one turn more."""
    turn = {"question": "Who are you?", "answers": {BASE: {"text": "I"}}}
    talk = conversation.new_talk([BASE]) | {"turns": [turn]}
    (retry,) = events(built, "retry", "chat_asking")
    told = by_id(retry.fn(talk, 3, {}, BASE))
    assert (told["chat_send"].visible, told["chat_stop"].visible) == (False, True)


def test_where_nothing_is_asked_the_input_is_ready(built):
    """Whatever has hidden Send before."""
    for one in events(built, "ask", "chat_asking"):
        (told,) = one.fn(None, "", {}, "", True, False, {})
        told = by_id(told)
        assert (told["chat_send"].visible, told["chat_stop"].visible) == (True, False)


def test_a_question_that_could_not_be_asked_leaves_what_was_typed_since():
    with gr.Blocks() as made:
        parts = chat_parts.lay_out()
        chat_asking._wire_questions(parts)
    give_back = next(one.fn for one in made.fns.values() if one.name == "give_back")
    assert give_back("Who are you?", "") == ("Who are you?", "")
    assert give_back("Who are you?", "And") == ({"__type__": "update"}, "")


def test_voices_that_were_picked_leave_the_picker_to_who_picks(
    built, tiny_model_folder, make_adapter
):
    """One more may have been picked meanwhile; voices that come from another tab are written."""
    path = runs.create(TrainConfig(model_name_or_path=str(tiny_model_folder)))
    make_adapter(path / "adapter", 1)
    (put_on,) = events(built, "put_on", "tab_chat")
    manner = [one.value for one in put_on.inputs[5:]]
    voices = [BASE, path.name]

    def picker(picked):
        talk = conversation.new_talk([BASE])
        return by_id(put_on.fn(None, picked, talk, voices, {}, False, *manner))[
            "chat_voices"
        ].constructor_args

    assert picker([BASE])["value"] == voices
    assert "value" not in picker([*voices, "another"])
    again = put_on.fn(None, voices, conversation.new_talk(voices), voices, {}, False, *manner)
    assert list(again.values()) == [{"__type__": "update"}]


def test_a_run_that_is_shown_is_not_written_back(tiny_model_folder, make_adapter):
    """In Export, where another may have been chosen meanwhile."""
    path = runs.create(TrainConfig(model_name_or_path=str(tiny_model_folder)))
    make_adapter(path / "adapter", 1)
    with gr.Blocks():
        parts = export_parts.lay_out()
    shown = _choices(parts, (path.name,), path.name, "", "en")[parts.run].constructor_args
    assert "value" not in shown
    shown = _choices(parts, (path.name,), None, "", "en")[parts.run].constructor_args
    assert shown["value"] == path.name


def test_the_voice_and_the_dataset_that_were_chosen_are_not_written_back():
    """In what is kept of answers; what is not there any more gives way."""
    with gr.Blocks() as made:
        keep = keeping.lay_out()
        keeping.wire(keep, gr.State({}), Chosen(**dict.fromkeys(Chosen.__slots__, gr.State())))
    follow = next(one.fn for one in made.fns.values() if one.name == "follow")
    turn = {"question": "?", "system": {}, "answers": {"base": {"text": "a"}}}
    talk = conversation.new_talk(["base"]) | {"turns": [turn]}

    def written(whose, into):
        after = follow(talk, whose, into, [], None)
        sent = [after[one].constructor_args for one in (keep.whose, keep.into)]
        return [one["value"] for one in sent if "value" in one]

    assert written("base", "lighthouse-keeper") == []
    assert written("gone", "gone.jsonl") == ["base", ""]


def test_start_goes_with_the_reply_that_has_the_run(built, monkeypatch):
    """Or it could be pressed once more before it is hidden."""
    monkeypatch.setattr(launch, "start", lambda config: "calm-otter-ffff")
    (start,) = events(built, "start", "tab_train")
    values = dict(zip(start.input_keyword_names, (one.value for one in start.inputs), strict=True))
    told = start.fn(None, **values | {"dataset": "lighthouse-keeper", "wrong": []})
    assert by_id(told)["ready_side"].visible is False
    assert "calm-otter-ffff" in told.values()


def test_a_run_is_drawn_anew_in_another_language():
    path = runs.create(TrainConfig())
    runs.write_status(path, state="stopped")
    run = runs.get(path.name)
    with gr.Blocks():
        side = run_side.build(Chosen(**dict.fromkeys(Chosen.__slots__, gr.State(""))))
    seen = run_side.draw(side, run, {}, "en")[side.seen]
    assert run_side.draw(side, run, seen, "en") == {}
    drawn = run_side.draw(side, run, seen, "zh")
    assert {side.card, side.memory, side.answers, side.learned, side.log} <= drawn.keys()


@pytest.mark.parametrize("stage", ["read", "mask"])
def test_show_me_ends_where_a_person_chooses_other_data(stage):
    """It would train on them, or wait for ever."""
    at = show_me.NOWHERE | {"step": stage, "since": 0.0, "dataset": "lighthouse-keeper"}
    shown = {"dataset": "mine.jsonl", "facts": None, "run": "", "row": 3, "revised": 1, "wanted": 0}
    assert show_me.step(at, shown, 60.0) == (show_me.NOWHERE, {})
