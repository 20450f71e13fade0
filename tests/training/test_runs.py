"""A run is its folder: what its files and its process say, and nothing else."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import launch
from engine.config import TrainConfig
from engine.errors import UserError
from engine.training import run_changes, runs


@pytest.fixture
def path():
    return runs.create(TrainConfig(dataset="x", lora_r=3))


@pytest.fixture
def living(path):
    """A process that seems to train this run; ends when the test does."""
    process = subprocess.Popen(
        [sys.executable, "-c", "input()", "engine", "train", str(path)], stdin=subprocess.PIPE
    )
    runs.write_status(path, state="running", pid=process.pid, step=3, max_steps=9)
    yield path
    process.stdin.close()
    process.wait()


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_new_run_is_queued_with_a_readable_id(path):
    run = runs.get(path.name)
    assert re.fullmatch(r"[a-z]+-[a-z]+-[0-9a-f]{4}", run.id)
    assert run.id.startswith(run.name)
    assert (run.state, run.alive, run.step, run.can_resume) == ("queued", True, 0, False)
    assert run.config == TrainConfig(dataset="x", lora_r=3)


def test_queued_for_longer_than_a_minute_without_a_process_is_failed(path):
    status = json.loads((path / "status.json").read_text())
    status["updated_at"] -= 61
    (path / "status.json").write_text(json.dumps(status))
    run = runs.get(path.name)
    assert (run.state, run.alive, run.can_resume) == ("failed", False, True)


def test_running_with_a_dead_process_is_failed_with_the_logs_last_lines(path):
    runs.write_status(path, state="running", pid=dead_pid())
    (path / "train.log").write_text("one\ntwo\nthree\nKilled at four\n")
    run = runs.get(path.name)
    assert (run.state, run.alive, run.can_resume) == ("failed", False, True)
    assert run.message.en.endswith("The log ends: two\nthree\nKilled at four")
    assert run.message.zh.endswith("two\nthree\nKilled at four")


@pytest.mark.parametrize("state", ["queued", "running", "stopping"])
@pytest.mark.parametrize("torn", ["", '{"sta'])
def test_a_process_that_found_no_room_for_its_last_word_is_not_said_to_lack_memory(
    path, monkeypatch, state, torn
):
    """The status that it could not write lies there; a whole one is of a process that was killed
    while it wrote. A disk that is full only now has not ended what ended before."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=0))
    runs.write_status(path, state=state, pid=dead_pid())
    usual = runs.get(path.name).message
    (path / "checkpoint-2").mkdir()
    for name in ("complete.json", "trainer_state.json"):
        (path / "checkpoint-2" / name).write_text('{"a": 1}')
    (path / "status.json.new").write_text(torn)
    run = runs.get(path.name)
    assert (run.state, run.alive, run.can_resume) == ("failed", False, True)
    assert run.message == (
        f"The disk with {path.parent} is full, so the run stopped; checkpoint-2 is whole. Free "
        "some room, for instance by deleting old runs, then resume.",
        f"{path.parent} 所在的磁盘已满，训练停止；checkpoint-2 完好。"
        "请腾出空间（例如删除旧的训练）再继续。",
    )
    (path / "status.json.new").write_text('{"state": "running"}')
    assert runs.get(path.name).message == usual


def test_a_living_run_that_writes_its_status_is_not_out_of_room(living):
    (living / "status.json.new").write_text("")
    assert (runs.get(living.name).state, runs.get(living.name).message) == ("running", ("", ""))


def test_a_process_id_used_again_by_another_program_is_dead(path):
    code = "print(flush=True); input()"
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe)
    process.stdout.readline()  # its command can be read only a moment after it was started
    runs.write_status(path, state="running", pid=process.pid)
    state = runs.get(path.name).state
    process.communicate()
    assert state == "failed"


@pytest.mark.parametrize(("seconds", "state"), [(0, "running"), (60, "failed")])
def test_a_process_without_a_command_is_a_runs_own_only_as_it_begins(
    living, monkeypatch, seconds, state
):
    """Started this moment it has none yet; later on it is the kernel's, which has none ever."""
    monkeypatch.setattr("psutil.Process.cmdline", lambda _: [])
    monkeypatch.setattr("psutil.Process.create_time", lambda _: time.time() - seconds)
    assert runs.get(living.name).state == state


def test_a_living_process_is_running_and_stopping_when_asked(living):
    run = runs.get(living.name)
    assert (run.state, run.alive, run.can_resume) == ("running", True, False)
    launch.stop(living.name)
    assert (living / "stop").exists()
    assert runs.get(living.name).state == "stopping"


def test_a_finished_run_stays_finished_without_a_process(path):
    runs.write_status(path, state="finished", pid=dead_pid(), loss=0.5)
    run = runs.get(path.name)
    assert (run.state, run.alive, run.can_resume, run.last_loss) == ("finished", False, False, 0.5)
    launch.stop(path.name)
    assert not (path / "stop").exists()


def test_a_run_that_is_alive_is_not_deleted(living):
    with pytest.raises(UserError, match="is still training; stop it first"):
        run_changes.delete(living.name)
    assert living.is_dir()


def test_delete(path):
    runs.write_status(path, state="finished")
    run_changes.delete(path.name)
    assert not path.exists()
    assert runs.list_runs() == []


@pytest.mark.parametrize(
    "id", ["../x", "", "calm-otter", "calm-otter-12345", "calm-otter-0000/../../x", None]
)
def test_an_id_that_is_no_id_is_a_sentence(id, runs_folder):
    """Even where such a folder is there: an id comes from the network."""
    (runs_folder / "calm-otter-0000").mkdir(parents=True)
    (runs_folder.parent / "x").mkdir()
    (runs_folder.parent / "x" / "config.yaml").write_text("lora_r: 1\n")
    with pytest.raises(UserError, match="There is no run") as raised:
        runs.get(id)
    assert raised.value.field == "run"


def test_an_id_with_a_line_break_is_refused(path):
    """Python's $ would let it pass; fullmatch does not."""
    with pytest.raises(UserError, match="There is no run"):
        runs.get(path.name + "\n")


def test_rename_keeps_the_id(path):
    run_changes.rename(path.name, "  My \n first   run ")
    assert (runs.get(path.name).name, runs.get(path.name).id) == ("My first run", path.name)
    run_changes.rename(path.name, "长" * 99)
    assert runs.get(path.name).name == "长" * 60
    with pytest.raises(UserError, match="The name is empty") as raised:
        run_changes.rename(path.name, " \n ")
    assert raised.value.field == "name"


def test_newest_first(runs_folder):
    paths = [runs.create(TrainConfig()) for _ in range(3)]
    for created_at, path in zip((2.0, 3.0, 1.0), paths, strict=True):
        runs.write_status(path, created_at=created_at)
    (runs_folder / "datasets").mkdir()
    (runs_folder / "calm-otter-ffff").mkdir()  # no config.yaml yet: somebody is making it
    expected = [paths[1].name, paths[0].name, paths[2].name]
    assert [run.id for run in runs.list_runs()] == expected


def test_runs_of_one_moment_keep_their_order(runs_folder, monkeypatch):
    """However the disk lists them: else rows of the table would change places by themselves."""
    paths = [runs.create(TrainConfig()) for _ in range(3)]
    for path in paths:
        runs.write_status(path, created_at=1.0)
    listed = list(runs_folder.iterdir())
    expected = sorted((path.name for path in paths), reverse=True)
    for order in (listed, listed[::-1]):
        monkeypatch.setattr(type(runs_folder), "iterdir", lambda _, order=order: iter(order))
        assert [run.id for run in runs.list_runs()] == expected


@pytest.mark.parametrize("torn", ['{"step": 2, "lo', '{"step": 2}', '{"prompt": "贵'])
def test_an_unfinished_last_line_is_skipped(path, torn):
    (path / "metrics.jsonl").write_text('{"step": 1}\n' + torn, encoding="utf-8")
    assert runs.get(path.name).metrics() == [{"step": 1}]


def test_a_last_line_torn_within_a_character_is_skipped(path):
    whole = {"step": 0, "prompt": "谁？", "answer": "贵人"}
    text = json.dumps(whole, ensure_ascii=False) + '\n{"step": 1, "answer": "贵'
    (path / "samples.jsonl").write_bytes(text.encode()[:-1])
    assert runs.get(path.name).samples() == [whole]


def test_metrics_of_a_run_that_has_none(path):
    assert (runs.get(path.name).metrics(), runs.get(path.name).samples()) == ([], [])
    assert runs.get(path.name).dataset_facts() == {}
    assert runs.get(path.name).log_tail() == ""
    assert runs.report(path.name) == ""


def test_status_is_replaced_not_written_over(path, monkeypatch):
    """A writer that dies leaves the old status whole."""
    before = (path / "status.json").read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space"):
        runs.write_status(path, state="running")
    assert (path / "status.json").read_text() == before


def test_status_keeps_what_is_not_named(path):
    runs.write_status(path, step=4)
    status = runs.status_of(path)
    assert (status["state"], status["step"]) == ("queued", 4)
    assert abs(status["updated_at"] - time.time()) < 10


def test_the_log_is_read_from_its_end(path):
    lines = [f"line {number} 好" for number in range(9000)]
    (path / "train.log").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert runs.get(path.name).log_tail(2) == "line 8998 好\nline 8999 好"


STATUS_DAMAGED = (
    "status.json is missing, damaged or of a later version, so how the run stands is not known. "
    "Resume goes on from its last checkpoint; an adapter that it has can be used."
)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", '{"page": [1]}', '{"state": "stopped", "pid": "12"}', '{"step": 3}']
)
def test_a_damaged_status_is_a_failed_run_that_can_go_on(path, text):
    (path / "status.json").write_text(text)
    (run,) = runs.list_runs()
    assert run == runs.get(path.name)
    assert (run.id, run.config.lora_r) == (path.name, 3)
    assert (run.state, run.alive, run.can_resume) == ("failed", False, True)
    assert run.message.en == STATUS_DAMAGED
    assert "status.json" in run.message.zh
    runs.write_status(path, state="stopped", message="", message_zh="")
    assert (runs.get(path.name).state, runs.get(path.name).message.en) == ("stopped", "")


def test_what_can_be_read_of_a_damaged_status_is_kept(path):
    (path / "status.json").write_text('{"state": "of tomorrow", "step": 3, "max_steps": "9"}')
    run = runs.get(path.name)
    assert (run.state, run.step, run.max_steps) == ("failed", 3, 0)


@pytest.mark.parametrize(
    ("text", "lora_r", "model", "why"),
    [
        ("lora_r: 3\noption_of_tomorrow: 1\n", 3, "", "option_of_tomorrow"),
        ("lora_r: {", 16, "", "is not valid YAML"),
        ("model_name_or_path: a/b\nlora_r: many\n", 16, "a/b", "Rank (lora_r) is 'many'"),
        (None, 16, "", "config.yaml cannot be read"),
    ],
)
def test_a_run_with_damaged_options_is_listed_and_keeps_its_adapter(path, text, lora_r, model, why):
    """What can be read is shown; no default passes for the base it was made of."""
    runs.write_status(path, state="finished")
    (path / "adapter").mkdir()
    (path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    if text is None:
        (path / "config.yaml").unlink()
    else:
        (path / "config.yaml").write_text(text)
    (run,) = runs.list_runs()
    assert (run.state, run.can_resume) == ("failed", False)
    assert (run.config.lora_r, run.config.model_name_or_path) == (lora_r, model)
    assert run.message.en.startswith(
        "config.yaml is damaged or of a later version, so this run cannot be resumed. An adapter "
        "that it has can be used and downloaded. ("
    )
    assert why in run.message.en
    assert "config.yaml" in run.message.zh
    assert run.require_adapter() == path / "adapter"
    with pytest.raises(UserError) as raised:
        launch.resume(path.name)
    assert raised.value.sentence == run.message
    runs.write_status(path, step="many")  # both are damaged: it is not told to resume
    assert runs.list_runs()[0].message == run.message
    run_changes.delete(path.name)
    assert runs.list_runs() == []


def test_a_run_on_another_disk_is_deleted_there_too(path, tmp_path):
    """Moved, with a link where it was."""
    runs.write_status(path, state="stopped")
    moved = path.rename(tmp_path / "elsewhere")
    path.symlink_to(moved)
    run_changes.delete(path.name)
    assert (path.is_symlink(), moved.exists()) == (False, False)


@pytest.mark.parametrize(
    "change",
    [run_changes.delete, lambda run_id: run_changes.rename(run_id, "new")],
    ids=["delete", "rename"],
)
def test_what_the_system_refuses_is_a_sentence(path, monkeypatch, change):
    runs.write_status(path, state="stopped")

    def refuses(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.rmtree", refuses)
    monkeypatch.setattr("os.replace", refuses)
    with pytest.raises(UserError, match=r"cannot be changed, or deleted whole \(Permission denied"):
        change(path.name)
    assert runs.get(path.name).name == path.name[:-5]


def test_a_folder_that_is_closed_to_us_hides_no_run(path, monkeypatch):
    """As a container leaves it that ran as another user."""
    closed = runs.create(TrainConfig())
    stat = os.stat

    def refuses(file, **more):
        if closed in Path(str(file)).parents:
            raise PermissionError(13, "Permission denied")
        return stat(file, **more)

    monkeypatch.setattr("os.stat", refuses)
    (closed / "status.json").unlink()
    assert [run.id for run in runs.list_runs()] == [path.name]
    with pytest.raises(UserError, match="There is no run"):
        runs.get(closed.name)


def test_a_damaged_run_hides_no_other(path):
    other = runs.create(TrainConfig())
    before = runs.get(other.name)
    for name in ("status.json", "config.yaml", "name"):
        (path / name).write_bytes(b"\xff[")
    assert {run.id: run for run in runs.list_runs()}.keys() == {path.name, other.name}
    assert runs.get(other.name) == before


def test_a_name_of_strange_bytes_is_shown_as_far_as_it_goes(path):
    (path / "name").write_bytes(b"caf\xe9\n two")
    assert runs.get(path.name).name == "caf\ufffd two"
    (path / "name").write_bytes(b"\n")
    assert runs.get(path.name).name == path.name


def test_lines_that_are_no_rows_are_skipped(path):
    """Wherever they stand; what is no number in a row is left out."""
    rows = '{"a\n{"step": 1, "loss": 2.5, "eval_loss": "x"}\nnull\n{"loss": 1.0}\n{"step": 2}\n'
    (path / "metrics.jsonl").write_text(rows)
    (path / "samples.jsonl").write_text('[]\n{"step": 1, "prompt": "Who?"}\n{"st\n')
    run = runs.get(path.name)
    assert run.metrics() == [{"step": 1, "loss": 2.5}, {"step": 2}]
    assert run.samples() == []
