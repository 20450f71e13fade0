"""The report of a run: each part in both languages, and nothing a person wrote turned to markup."""

import json
import re
from dataclasses import replace

import pytest

from engine.config import TrainConfig, default_config
from engine.training import runs
from engine.training.report import write_report

CARD = {
    "step": 4,
    "verdict": "learned",
    "train": {"rows": 19, "tokens": 90, "base": 3.0, "adapter": 1.5},
    "held_out": {"rows": 5, "tokens": 20, "base": 3.1, "adapter": 1.7},
    "general": {"rows": 20, "tokens": 60, "base": 2.5, "adapter": 2.6, "guess": 8.3},
    "answers": {"asked": 5, "changed": 4},
    "modules": {"count": 14, "zero": []},
    "best": None,
}
FACTS = {
    **{"source": "x", "file": "my|file.json", "sha256": "ab" * 32, "rows": 26, "train_rows": 19},
    **{"eval_rows": 5, "eval_file": "", "eval_sha256": "", "train_tokens": 1234},
    **{"learned_tokens": 617, "truncated_rows": 1},
    "dropped": [{"reason": "no answer", "reason_zh": "没有回答", "rows": 2}],
}


@pytest.fixture
def path():
    config = TrainConfig(
        dataset="/home/somebody/my-data.json",
        model_name_or_path="sprout",
        system_prompt="Be *kind*.",
    )
    path = runs.create(config)
    (path / "name").write_text("mine <b>", encoding="utf-8")
    runs.write_status(
        path,
        **{"state": "finished", "step": 4, "max_steps": 4, "seconds": 75.2, "started_at": 0.0},
        **{"tokens_per_second": 1234.5, "peak_gib": 1.256},
    )
    memory = {"device": "RAM", "own_gib": 1.0, "peak_gib": 1.256}
    row = {"tokens": 5678, "memory": memory}
    metrics = [{"step": s, "loss": 4.0 - s / 2} | row for s in (1, 2, 3, 4)]
    samples = [
        {"step": 0, "prompt": "Who?", "answer": "I | am\nbase", "voice": "base"},
        {"step": 0, "prompt": "Who?", "answer": "first"},
        {"step": 2, "prompt": "Who?", "answer": "between"},
        {"step": 4, "prompt": "Who?", "answer": ""},
    ]
    for name, rows in (("metrics", metrics), ("samples", samples)):
        lines = "".join(json.dumps(one) + "\n" for one in rows)
        (path / f"{name}.jsonl").write_text(lines)
    (path / "dataset.json").write_text(json.dumps(FACTS))
    (path / "learned.json").write_text(json.dumps(CARD))
    (path / "adapter").mkdir()
    (path / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    (path / "adapter" / "greenroom.json").write_text('{"versions": {"torch": "2.13"}}')
    return path


def test_the_whole_report(path):
    """Verdict first; a place on this machine is only a name, markup of people is text."""
    write_report(path)
    text = runs.report(path.name)
    assert text.startswith(
        "# mine \\<b\\>\n\n"
        "**It learned: what it was taught shows on rows it has never seen.**\n\n"
        "Finished: sprout on my-data.json, 4 of 4 steps in 1 min 15 s, 1970-01-01.\n\n"
        "![The curves](curves.svg)\n\n## Did it learn?\n\n"
        "| loss a token | base | with the adapter |\n|---|---|---|\n"
        "| 19 rows it learned from | 3.000 | 1.500 |\n"
        "| 5 rows it has never seen | 3.100 | 1.700 |\n"
        "| everyday text | 2.500 | 2.600 |\n\n"
        "- 4 of 5 answers to prompts from the data changed.\n"
    )
    answers = (
        "### Who?\n\n| | |\n|---|---|\n"
        "| base | I \\| am base |\n| step 0 | first |\n| step 4 | … |\n"
    )
    data = (
        "| file | my\\|file.json |\n" + f"| sha256 | `{'ab' * 32}` |\n"
        "| rows in the file | 26 |\n| trained on | 19 |\n| kept for validation | 5 |\n"
        "| tokens learned, of all read | 617 / 1,234 |\n| rows cut at the longest row | 1 |\n"
        "| dropped: no answer | 2 |\n"
    )
    settings = "| option | value | default |\n|---|---|---|\n| `dataset` | my-data.json |"
    cost = (
        "| time | 1 min 15 s |\n| device | CPU |\n| tokens trained on | 5,678 |\n"
        "| speed | 1,234 tokens/s |\n| peak memory | 1.26 GiB |\n"
    )
    for part in (answers, data, settings, cost):
        assert part in text
    assert 'from_pretrained("data/sprout")' in text
    assert "> Be \\*kind\\*.\n" in text
    assert "Made with torch 2.13." in text
    assert "somebody" not in text


def test_the_chinese_report(path):
    write_report(path)
    text = runs.report(path.name, "zh-CN")
    assert "**学会了：没见过的数据上也看得出它学到的东西。**" in text
    assert "已完成：sprout 学习 my-data.json，4 / 4 步，用时 1 分 15 秒，1970-01-01。" in text
    assert "![曲线](curves.zh.svg)" in text
    assert "| 丢弃：没有回答 | 2 |" in text
    assert "平滑后的损失从 3.500 变为" in (path / "curves.zh.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("model", ["sprout", "someone/model"])
def test_only_what_was_changed_is_a_setting(path, model):
    """The form's first values for a base are its defaults."""
    config = replace(default_config(model), dataset="a.json", learning_rate=0.5)
    (path / "config.yaml").write_text(config.to_yaml())
    write_report(path)
    settings = runs.report(path.name).split("## Settings")[1].split("##")[0]
    assert re.findall(r"^\| `(\w+)`", settings, re.M) == ["dataset", "learning_rate"]
    assert f"| 0.5 | {default_config(model).learning_rate} |" in settings


def test_what_is_not_there_is_not_told(path):
    """No card, no metrics, no answers, no adapter: a report all the same, without a picture."""
    for name in ("learned.json", "metrics.jsonl", "samples.jsonl", "dataset.json"):
        (path / name).unlink()
    (path / "adapter" / "adapter_model.safetensors").unlink()
    write_report(path)
    text = runs.report(path.name)
    assert "Did it learn?\n\nNot measured.\n" in text
    assert "curves" not in text
    assert "What it says" not in text
    assert "How to use it" not in text
    assert not (path / "curves.svg").exists()


@pytest.mark.parametrize(("method", "on_a_base"), [("lora", True), ("full", False)])
def test_it_is_loaded_as_what_it_is(path, method, on_a_base):
    """A model all of whose weights were trained is no adapter of PEFT's."""
    config = TrainConfig(peft_type=method, dataset="a.json", model_name_or_path="sprout")
    (path / "config.yaml").write_text(config.to_yaml())
    write_report(path)
    text, chinese = runs.report(path.name), runs.report(path.name, "zh")
    assert ("PeftModel.from_pretrained(base" in text) is on_a_base
    assert ('\nmodel = AutoModelForCausalLM.from_pretrained("adapter")' in text) is not on_a_base
    assert ("With Transformers and PEFT:" in text, "PEFT" in chinese) == (on_a_base, on_a_base)


@pytest.mark.parametrize(
    ("model", "method", "told"),
    [
        ({"model_type": "qwen"}, "lora", True),
        ({"model_type": "qwen"}, "full", False),
        ({"model_type": "chatglm", "inner_hidden_size": 64}, "full", True),
        ({"model_type": "qwen2"}, "lora", False),
    ],
)
def test_a_base_of_an_old_layout_is_told_as_such(path, tmp_path, model, method, told):
    """The few lines of Python would not load it; trained whole, nearly each is saved in today's."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(model))
    config = TrainConfig(dataset="a.json", model_name_or_path=str(folder), peft_type=method)
    (path / "config.yaml").write_text(config.to_yaml())
    write_report(path)
    assert ("does not read this base's old layout" in runs.report(path.name)) is told


def test_old_runs_have_an_english_report_only(path):
    (path / "report.md").write_text("old")
    assert (runs.report(path.name), runs.report(path.name, "zh")) == ("old", "old")
