"""A child process that answers: its values, its errors, its death, and being stopped."""

import contextlib
import itertools
import json
import os
import textwrap
import threading

import pytest

from engine.child import Child
from engine.errors import UserError

STUB = """
    import logging
    import os
    import sys
    from pathlib import Path
    from engine.child import serve, stopping
    from engine.errors import UserError

    def count(to):
        for number in range(to):
            print("a library prints", number)
            yield {"number": number, "text": "你好 \\ud800"[:2]}

    def refuse():
        yield 1
        raise UserError("It is wrong.", "错了。", "lora_r")

    def breaks():
        yield {}["missing"]

    def full():
        raise MemoryError
        yield

    def die(how):
        yield 1
        os._exit(how)

    def until_stopped():
        number = 0
        while not stopping():
            number += 1
            yield number
        yield "stopped"

    def pid():
        yield os.getpid()

    def notes():
        logging.getLogger("bitsandbytes.backends.cpu.ops").warning("for those who build")
        logging.getLogger("greenroom").warning("for those who train")
        yield True

    if __name__ == "__main__":
        calls = (count, refuse, breaks, full, die, until_stopped, pid, notes)
        serve({one.__name__: one for one in calls})
"""


@pytest.fixture
def child(tmp_path, monkeypatch):
    (tmp_path / "stub_child.py").write_text(textwrap.dedent(STUB), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    child = Child("stub_child")
    yield child
    child.close()


def test_values_come_one_by_one_and_prints_do_not_mix_in(child):
    assert not child.alive
    expected = [{"number": number, "text": "你好"} for number in range(3)]
    assert list(child.ask("count", to=3)) == expected
    assert child.answer("count", to=3) == expected[-1]
    assert child.answer("count", to=0) is None
    assert child.alive


def test_one_process_answers_all_questions(child):
    assert child.answer("pid") == child.answer("pid") != os.getpid()


def test_what_libraries_note_is_not_for_the_pages_console(child, capfd):
    assert child.answer("notes")
    assert capfd.readouterr().err == "for those who train\n"


def test_a_user_error_passes_with_its_field_and_both_languages(child):
    answers = child.ask("refuse")
    assert next(answers) == 1
    with pytest.raises(UserError) as raised:
        next(answers)
    assert (*raised.value.sentence, raised.value.field) == ("It is wrong.", "错了。", "lora_r")
    assert child.answer("count", to=1)["number"] == 0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("breaks", "Something went wrong inside Greenroom: KeyError: 'missing'"),
        ("full", "Memory ran out."),
        ("no_such_call", "Something went wrong inside Greenroom: KeyError: 'no_such_call'"),
    ],
)
def test_our_own_mistakes_are_sentences_and_the_child_lives_on(child, call, sentence):
    pid = child.answer("pid")
    with pytest.raises(UserError) as raised:
        child.answer(call)
    assert str(raised.value).startswith(sentence)
    assert child.answer("pid") == pid


def test_a_dying_child_is_a_sentence_and_the_next_question_starts_it_anew(child):
    pid = child.answer("pid")
    with pytest.raises(UserError) as raised:
        child.answer("die", how=9)
    assert str(raised.value).startswith(
        "The process that answers 'die' ended unexpectedly (exit status 9);"
    )
    assert "退出码 9" in raised.value.sentence.zh
    assert child.answer("pid") != pid


def test_a_child_that_died_between_questions_is_started_anew(child):
    pid = child.answer("pid")
    child._process.kill()
    child._process.wait()
    assert child.answer("pid") != pid


def test_stop_ends_a_running_call(child):
    answers = child.ask("until_stopped")
    assert next(answers) == 1
    threading.Thread(target=child.stop).start()
    assert list(answers)[-1] == "stopped"
    assert child.answer("count", to=1)["number"] == 0


def test_stop_between_calls_stops_nothing(child):
    child.stop()
    child.answer("pid")
    child.stop()
    answers = child.ask("until_stopped")
    assert [next(answers) for _ in range(50)] == list(range(1, 51))
    answers.close()


def test_leaving_early_ends_the_call_and_leaves_the_child_usable(child):
    pid = child.answer("pid")
    for answer in child.ask("until_stopped"):
        if answer == 3:
            break
    assert child.answer("count", to=2)["number"] == 1
    assert child.answer("pid") == pid


def test_close_ends_the_process(child):
    pid = child.answer("pid")
    child.close()
    assert not child.alive
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    child.close()
    child.stop()


def test_close_during_a_call_ends_it_without_a_crash(child):
    """With its end or with a sentence: as it happens."""
    answers = child.ask("until_stopped")
    next(answers)
    child.close()
    with contextlib.suppress(UserError):
        assert list(answers)[-1] == "stopped"
    assert child.answer("count", to=1)["number"] == 0


def test_leaving_early_after_close_is_no_crash(child):
    answers = child.ask("until_stopped")
    next(answers)
    child.close()
    answers.close()
    assert child.answer("count", to=1)["number"] == 0


def test_two_threads_take_turns(child):
    got = []
    threads = [
        threading.Thread(target=lambda: got.append(len(list(child.ask("count", to=200)))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [200] * 4


def test_a_stop_right_behind_its_question_is_not_lost(child):
    """Both lines lie in the pipe before the child reads the first."""
    child._start()
    lines = child._process
    lines.stdin.write('{"call": "until_stopped", "arguments": {}}\n{"stop": true}\n')
    lines.stdin.flush()
    values = map(json.loads, itertools.islice(lines.stdout, 20_000))
    assert {"value": "stopped"} in values
