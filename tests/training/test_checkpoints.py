"""Checkpoints count when they are whole, and the last whole one is never taken away."""

import errno

import pytest
import torch
from safetensors.torch import save_file

from engine.training import checkpoints


def made(path, *steps, sealed=True):
    for step in steps:
        folder = path / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(b"x" * step)
        (folder / "trainer_state.json").write_text(f'{{"global_step": {step}}}')
        if sealed:
            checkpoints.seal(folder, {"tokens_seen": step})


def names(path):
    return sorted(one.name for one in path.iterdir())


def test_one_without_its_marker_does_not_count(tmp_path):
    made(tmp_path, 4, 10)
    made(tmp_path, 12, sealed=False)
    assert checkpoints.last_complete(tmp_path) == tmp_path / "checkpoint-10"
    assert checkpoints.facts_of(tmp_path / "checkpoint-10") == {"tokens_seen": 10}
    assert checkpoints.last_complete(tmp_path / "checkpoint-12") is None
    assert checkpoints.facts_of(None) == {}


def test_the_newest_sealed_stay_and_what_is_being_written(tmp_path):
    """Numbers, not letters, decide which is newer; unfinished ones before the newest go too."""
    made(tmp_path, 9, 10, 100)
    made(tmp_path, 50, 110, sealed=False)
    (tmp_path / "adapter").mkdir()
    checkpoints.rotate(tmp_path, 2)
    assert names(tmp_path) == ["adapter", "checkpoint-10", "checkpoint-100", "checkpoint-110"]


def test_the_last_sealed_one_stays_while_the_next_is_written(tmp_path):
    made(tmp_path, 3)
    made(tmp_path, 6, sealed=False)
    checkpoints.rotate(tmp_path, 1)
    assert names(tmp_path) == ["checkpoint-3", "checkpoint-6"]
    checkpoints.remove_unfinished(tmp_path)
    assert names(tmp_path) == ["checkpoint-3"]


def test_removing_begins_with_the_marker(tmp_path, monkeypatch):
    """Killed in the middle, what is left does not look whole."""
    made(tmp_path, 3, 6)

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.rotate(tmp_path, 1)
    assert names(tmp_path / "checkpoint-3") == ["trainer_state.json", "weights"]


def test_the_marker_comes_after_all_files_are_on_the_disk(tmp_path, monkeypatch):
    made(tmp_path, 3, sealed=False)

    def dies(handle):
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", dies)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.seal(tmp_path / "checkpoint-3", {})
    assert names(tmp_path / "checkpoint-3") == ["trainer_state.json", "weights"]


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "facts.json"
    checkpoints.write_whole(file, "old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.write_whole(file, "new")
    assert file.read_text() == "old"


def test_a_finished_folder_takes_the_place_of_the_old_one(tmp_path):
    for name in ("adapter", "adapter.new", "adapter.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    checkpoints.put_in_place(tmp_path / "adapter.new", tmp_path / "adapter")
    assert names(tmp_path) == ["adapter"]
    assert names(tmp_path / "adapter") == ["adapter.new"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("complete.json", b""),
        ("complete.json", b"[1]"),
        ("trainer_state.json", b'{"global_st'),
        ("trainer_state.json", None),
        ("adapter_config.json", b"garbage"),
        ("adapter_model.safetensors", 1000),
        ("adapter_model.safetensors", 4),
        ("optimizer.pt", 300),
        ("rng_state.pth", b""),
    ],
)
def test_one_with_a_damaged_file_is_passed_over(tmp_path, name, text):
    """Cut to a number of bytes, replaced by others, or gone: an older one that is whole counts."""
    made(tmp_path, 2, 4, 6)
    for folder in tmp_path.iterdir():
        save_file({"a": torch.zeros(900)}, folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_text('{"r": 4}')
        for other in ("optimizer.pt", "rng_state.pth"):
            torch.save({"a": torch.zeros(90)}, folder / other)
    newest = tmp_path / "checkpoint-6"
    assert checkpoints.damaged_file(newest) == ""
    if text is None:
        (newest / name).unlink()
    else:
        cut = text if isinstance(text, bytes) else (newest / name).read_bytes()[:text]
        (newest / name).write_bytes(cut)
    assert checkpoints.damaged_file(newest) == name
    assert checkpoints.last_complete(tmp_path) == tmp_path / "checkpoint-4"
    checkpoints.facts_of(newest)


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (OSError(errno.EFBIG, "File too large"), True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True),
        (RuntimeError("PytorchStreamWriter failed writing file data/3"), True),
        (ValueError("Error: I/O error: No space left on device (os error 28)"), True),
        (OSError(errno.EACCES, "Permission denied"), False),
        (RuntimeError("shapes differ"), False),
    ],
)
def test_a_full_disk_in_all_its_words(error, full):
    assert checkpoints.is_full_disk(error) is full
    wrapped = RuntimeError("while saving")
    wrapped.__cause__ = error
    assert checkpoints.is_full_disk(wrapped) is full
