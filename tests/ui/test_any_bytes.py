"""Whatever stands in one file of a run's folder: all runs are listed and shown, none raises."""

import json
import shutil

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.config import TrainConfig
from engine.training import command, runs
from engine.training.report import write_report
from ui import (
    api,
    comparison,
    learned_card,
    plots,
    report_view,
    run_views,
    runs_table,
    timeline,
)

MEMORY = {"device": "RAM", "own_gib": 1.0, "peak_gib": 1.2}
CARD = {
    "step": 4,
    "verdict": "learned",
    "train": {"rows": 19, "tokens": 90, "base": 3.0, "adapter": 1.5},
    "held_out": {"rows": 5, "tokens": 20, "base": 3.1, "adapter": 1.7},
    "general": {"rows": 20, "tokens": 60, "base": 2.5, "adapter": 2.6, "guess": 8.3},
    "answers": {"asked": 5, "changed": 4},
    "modules": {"count": 14, "zero": []},
    "best": {
        **{"first_eval_loss": 3.1, "step": 4, "eval_loss": 1.7, "last_step": 4},
        **{"last_eval_loss": 1.7, "checkpoint": "checkpoint-4"},
    },
}
FACTS = {
    **{"source": "x", "file": "a.json", "sha256": "ab", "rows": 26, "train_rows": 19},
    **{"eval_rows": 5, "eval_file": "", "eval_sha256": "", "train_tokens": 1234},
    **{"learned_tokens": 617, "truncated_rows": 1},
    "dropped": [{"reason": "no answer", "reason_zh": "没有回答", "rows": 2}],
}
METRICS = [
    {"step": s, "loss": 4.0 - s, "eval_loss": 3.0, "tokens": s, "seconds": s, "memory": MEMORY}
    for s in (1, 2)
]
SAMPLES = [
    {"step": 0, "prompt": "Who?", "answer": "I", "voice": "base"},
    {"step": 4, "prompt": "Who?", "answer": "me"},
]
STATUS = {
    **{"state": "finished", "message": "", "message_zh": "", "pid": 1, "page": None},
    **{"step": 4, "max_steps": 4, "seconds": 75.2, "started_at": 1.0, "updated_at": 2.0},
    **{"created_at": 1.0, "tokens_per_second": 12.5, "peak_gib": 1.2, "loss": 1.0},
    **{"eval_loss": 1.0, "seconds_left": 0.0, "gpu_ids": [0], "predicted_gib": 1.0},
}
JSON_FILES = {
    "status.json": STATUS,
    "learned.json": CARD,
    "dataset.json": FACTS,
    "metrics.jsonl": METRICS,
    "samples.jsonl": SAMPLES,
    "adapter/greenroom.json": {"versions": {"torch": "2"}},
    "config.yaml": TrainConfig(dataset="a.json").to_dict(),
}
OTHERS = ("name", "train.log", "report.md", "placement.json", "stop", "beside")
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -1, 2**63, 1e308, float("nan"), float("-inf"), 0, "", "\0", "~x"]),
    st.floats(),
    st.text(st.characters()),  # half characters too
    st.just([]),
    st.just({}),
    st.just([1]),
    st.just({"a": [None]}),
)


def text_of(name, value):
    if name.endswith(".jsonl") and isinstance(value, list):
        return "".join(json.dumps(one) + "\n" for one in value)
    return json.dumps(value)


def changed(value, draw):
    """The same with one thing in it replaced by something odd, or left out."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 3)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key, copy = draw(st.sampled_from(keys)), value.copy()
        if draw(st.integers(0, 4)):
            copy[key] = changed(value[key], draw)
        else:
            del copy[key]
        return copy
    return draw(ODD)


@st.composite
def damages(draw):
    """(a file's name, its bytes)."""
    name = draw(st.sampled_from([*JSON_FILES, *OTHERS]))
    if name not in JSON_FILES or not draw(st.integers(0, 3)):
        return name, draw(st.binary())
    whole = JSON_FILES[name]
    if draw(st.booleans()):
        return name, text_of(name, changed(whole, draw)).encode()
    text = text_of(name, whole).encode()
    at = draw(st.integers(0, len(text)))
    return name, text[:at] + draw(st.binary(max_size=3)) + text[at + draw(st.integers(0, 9)) :]


@pytest.fixture
def path():
    """A run that has ended, with all its files."""
    path = runs.create(TrainConfig(dataset="a.json"))
    (path / "adapter").mkdir()
    (path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    for name, value in JSON_FILES.items():
        (path / name).write_text(text_of(name, value))
    return path


@pytest.fixture
def other(path):
    other = shutil.copytree(path, path.parent / "calm-otter-ffff")
    return runs.view(other)


def look(path, other):
    """Everything that the page and a report show of the run, in both languages."""
    found = {run.id: run for run in runs.list_runs()}
    assert found.keys() == {path.name, other.id}
    assert found[other.id] == other
    run = runs.get(path.name)
    json.dumps(api._status(run), ensure_ascii=False).encode()
    command.shown(run.path, run.config, run.gpu_ids)
    shown = [run.log_tail()]
    runs_table._curves.clear()
    for language in ("en", "zh"):
        metrics = run.metrics()
        for along in comparison.ALONG:
            shown.append(comparison.html([run, other], along, False, language))
        shown += [
            runs_table.table([run, other], run.id, language),
            runs_table.head(run, language),
            learned_card.html(run, language),
            timeline.html(run, language),
            run_views.progress(run, metrics, language),
            run_views.memory(metrics, True, language),
            report_view.markdown(run, language),
        ]
        plots.loss_frame(metrics, language)
        plots.single_frame(metrics, "learning_rate")
    "".join(shown).encode()
    write_report(path)
    report_view.markdown(run, "en").encode()


@example(("status.json", b"[]"))
@example(("status.json", b"null"))
@example(("status.json", b'{"page": [1]}'))
@example(("status.json", b'{"state": "finished", "pid": "12"}'))
@example(("status.json", b'{"state": "of tomorrow"}'))
@example(("status.json", b"[" * 100_000))
@example(("name", b"caf\xe9"))
@example(("config.yaml", b"option_of_tomorrow: 1\n"))
@example(("config.yaml", b"\x00"))
@example(("config.yaml", b"model_name_or_path: ~x\n"))
@example(("config.yaml", b"seed: 2026-13-45\n"))
@example(("metrics.jsonl", b'{"a\n{"step": 1, "loss": 2.0}\nnull\n'))
@example(("samples.jsonl", b'{"a\nnull\n{"prompt": "x"}\n'))
@example(("learned.json", b"[]"))
@example(("learned.json", b'{"step": 4}'))
@example(("dataset.json", b"garbage"))
@example(("adapter/greenroom.json", b"[]"))
@given(damages())
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_bytes_in_any_one_file_hide_and_break_nothing(path, other, damage):
    name, content = damage
    before = {file: (path / file).read_bytes() for file in (*JSON_FILES, *OTHERS)
              if (path / file).is_file()}  # fmt: skip
    (path / name).write_bytes(content)
    try:
        look(path, other)
    finally:
        (path / name).unlink()
        for file, text in before.items():
            (path / file).write_bytes(text)


@pytest.mark.parametrize("name", JSON_FILES)
def test_a_file_that_is_gone_hides_and_breaks_nothing(path, other, name):
    (path / name).unlink()
    look(path, other)
