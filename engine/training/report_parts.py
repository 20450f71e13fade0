"""The parts of a run's report, each a function of a run and a language that returns Markdown lines.

What a person wrote or a model said is escaped, so that it reads as it was written.
"""

import os
import time
from pathlib import Path
from typing import Any

from engine.config import TrainConfig, default_config
from engine.errors import Sentence
from engine.evaluation import verdict
from engine.evaluation.findings import findings
from engine.models.old.recognise import config_of, kind_of
from engine.training.answers import asked
from engine.training.how_to_load import load_code
from engine.training.live_files import read_json
from engine.training.markdown import plain
from engine.training.runs import Run

_PLACES = ("dataset", "eval_dataset", "model_name_or_path")  # options that may hold a path
_STATES = {
    "finished": Sentence("Finished", "已完成"),
    "stopped": Sentence("Stopped before its end", "中途停止"),
    "failed": Sentence("Failed", "失败"),
}


def _opening(run: Run, lang: str) -> list[str]:
    """Name, verdict, and the run in one line."""
    card = verdict.read(run.path, run.step)
    lines = [f"# {plain(run.name)}", ""]
    if card:
        lines += [f"**{plain(verdict.headline(card).in_language(lang))}**", ""]
    config = run.config
    day = time.strftime("%Y-%m-%d", time.localtime(run.started_at))
    state = _STATES.get(run.state, Sentence(run.state, run.state))
    model, data = plain(bare_name(config.model_name_or_path)), plain(bare_name(config.dataset))
    told = Sentence(
        f"{state.en}: {model} on {data}, {run.step} of {run.max_steps} steps in "
        f"{_time(run.duration_seconds).en}, {day}.",
        f"{state.zh}：{model} 学习 {data}，{run.step} / {run.max_steps} 步，"
        f"用时 {_time(run.duration_seconds).zh}，{day}。",
    )
    why = run.message.in_language(lang)
    return [*lines, told.in_language(lang), *(["", plain(why)] if why else [])]


def _learned(run: Run, lang: str) -> list[str]:
    card = verdict.read(run.path, run.step)
    lines = _title("Did it learn?", "学会了吗？", lang)
    if not card or not verdict.measured(card):
        words = verdict.headline(card) if card else Sentence("Not measured.", "没有测量。")
        return [*lines, plain(words.in_language(lang))]
    heads = Sentence("loss a token | base | with the adapter", "每 token 损失 | 底座 | 加上适配器")
    rows = []
    for words, losses in verdict.measured(card):
        base = Sentence("not measured", "没有测量").in_language(lang)
        if losses["base"] is not None:
            base = f"{losses['base']:.3f}"
        rows.append((words.in_language(lang), base, f"{losses['adapter']:.3f}"))
    found = [f"- {plain(one.in_language(lang))}" for one in findings(card)]
    return [*lines, *_table(heads.in_language(lang), rows), "", *found]


def _answers(run: Run, lang: str) -> list[str]:
    """The fixed questions: the base's answer, the first and the last."""
    lines = []
    for one in asked(run.samples()):
        lines += ["", f"### {plain(one.prompt)}", ""]
        rows = [(Sentence("base", "底座"), one.base)] if one.base is not None else []
        first, last = min(one.answers), max(one.answers)
        same = one.answers[first] == one.base  # as with all that begin as nothing
        for step in {last} if same else dict.fromkeys((first, last)):
            rows.append((Sentence(f"step {step}", f"第 {step} 步"), one.answers[step]))
        lines += _table("|", [(who.in_language(lang), answer or "…") for who, answer in rows])
    return [*_title("What it says", "它怎么说", lang), *lines[1:]] if lines else []


def _data(run: Run, lang: str) -> list[str]:
    facts = run.dataset_facts()
    if not facts:
        return _no_data(run, lang)
    rows = [
        (Sentence("file", "文件"), facts["file"]),
        (Sentence("sha256", "sha256"), f"`{facts['sha256']}`"),
        (Sentence("rows in the file", "文件中的条数"), f"{facts['rows']:,}"),
        (Sentence("trained on", "用于训练"), f"{facts['train_rows']:,}"),
        (Sentence("kept for validation", "留作验证"), f"{facts['eval_rows']:,}"),
        (
            Sentence("tokens learned, of all read", "学习的 token / 读到的全部"),
            f"{facts['learned_tokens']:,} / {facts['train_tokens']:,}",
        ),
        (Sentence("rows cut at the longest row", "超长被截断的条数"), facts["truncated_rows"]),
    ]
    for name, key in (
        (Sentence("validation file", "验证文件"), "eval_file"),
        (Sentence("its sha256", "其 sha256"), "eval_sha256"),
    ):
        if facts.get(key):
            rows.append((name, f"`{facts[key]}`" if "sha" in key else facts[key]))
    for one in facts["dropped"]:
        reason = Sentence(one["reason"], one["reason_zh"]).in_language(lang)
        rows.append((Sentence(f"dropped: {reason}", f"丢弃：{reason}"), one["rows"]))
    table = _table("|", [(name.in_language(lang), value) for name, value in rows])
    return [*_title("Data", "数据", lang), *table]


def _no_data(run: Run, lang: str) -> list[str]:
    if not (run.path / "dataset.json").is_file():
        return []
    words = Sentence(
        "dataset.json is damaged and cannot be read.", "dataset.json 已损坏，无法读取。"
    )
    return [*_title("Data", "数据", lang), words.in_language(lang)]


def _settings(run: Run, lang: str) -> list[str]:
    """Options as the options are named everywhere; what is not listed has its default, which is
    the form's first value for the base."""
    config = run.config
    defaults = default_config(config.model_name_or_path)
    rows = [
        (f"`{name}`", _setting(name, config), _setting(name, defaults))
        for name in config.changed(defaults)
    ]
    heads = Sentence("option | value | default", "选项 | 取值 | 默认值").in_language(lang)
    title = _title("Settings that differ from the defaults", "与默认值不同的设置", lang)
    return [*title, *_table(heads, rows)]


def _cost(run: Run, lang: str) -> list[str]:
    rows_of_memory = (row for row in reversed(run.metrics()) if {"memory", "tokens"} <= row.keys())
    newest = next(rows_of_memory, {})
    rows = [(Sentence("time", "用时"), _time(run.duration_seconds).in_language(lang))]
    if newest:
        rows.append((Sentence("device", "设备"), _computer(newest["memory"])))
        rows.append((Sentence("tokens trained on", "训练过的 token"), f"{newest['tokens']:,}"))
    if run.tokens_per_second:
        words = Sentence("tokens/s", "token/秒").in_language(lang)
        rows.append((Sentence("speed", "速度"), f"{run.tokens_per_second:,.0f} {words}"))
    if run.peak_gib:
        rows.append((Sentence("peak memory", "内存峰值"), f"{run.peak_gib:.2f} GiB"))
    table = _table("|", [(name.in_language(lang), value) for name, value in rows])
    return [*_title("What it took", "花费", lang), *table]


def _computer(memory: dict[str, Any]) -> str:
    """What computed: a run on the processor is recorded by its memory's name."""
    return "CPU" if memory["device"] == "RAM" else memory["device"]


def _use(run: Run, lang: str) -> list[str]:
    """How a colleague makes it speak, and with which versions it was made."""
    if not run.has_adapter:
        return []
    name = run.config.model_name_or_path
    is_whole = run.config.peft_type == "full"
    told = Sentence(
        "`adapter/` holds the weights, the tokenizer and the chat template. With Transformers"
        f"{'' if is_whole else ' and PEFT'}:",
        "`adapter/` 里有权重、分词器和对话模板。"
        f"用 Transformers {'' if is_whole else '和 PEFT '}加载：",
    )
    code = load_code(bare_name(name), "adapter", is_whole)
    lines = [*_title("How to use it", "怎样使用", lang), told.in_language(lang), "", *code]
    kind = kind_of(config_of(Path(os.path.expanduser(name))))  # also of an unknown person's home
    if kind == "chatglm" or (kind and not is_whole):  # but for ChatGLM-6B's it is saved in today's
        words = Sentence(
            "Transformers does not read this base's old layout by itself: speak with it in "
            "Greenroom, or export it merged.",
            "Transformers 不能直接读取这个底座的旧格式：请在 Greenroom 里对话，"
            "或导出合并后的模型。",
        )
        lines += ["", words.in_language(lang)]
    if run.config.system_prompt.strip():
        words = Sentence("It was trained under this system prompt:", "训练时的系统提示：")
        quoted = [f"> {plain(line)}" for line in run.config.system_prompt.strip().split("\n")]
        lines += ["", words.in_language(lang), "", *quoted]
    versions = read_json(run.path / "adapter" / "greenroom.json").get("versions")
    if not isinstance(versions, dict):
        return lines
    made = " · ".join(f"{name} {version}" for name, version in versions.items())
    return [*lines, "", Sentence(f"Made with {made}.", f"版本：{made}。").in_language(lang)]


PARTS = (_opening, _learned, _answers, _data, _settings, _cost, _use)


def _title(en: str, zh: str, lang: str) -> list[str]:
    return ["", f"## {Sentence(en, zh).in_language(lang)}", ""]


def _table(heads: str, rows: list[tuple]) -> list[str]:
    """`heads` with a bar between two; the cells are escaped, but for code."""
    width = heads.count("|") + 1
    cells = [[c if str(c).startswith("`") else plain(c) for c in row] for row in rows]
    return [
        f"| {heads} |",
        "|" + "---|" * width,
        *("| " + " | ".join(row) + " |" for row in cells),
    ]


def _setting(name: str, config: TrainConfig) -> str:
    value = str(getattr(config, name))
    return (bare_name(value) if name in _PLACES else value) or "–"


def bare_name(place: str) -> str:
    """A path of this machine says nothing to anybody else; a Hub id stays whole."""
    path = Path(place)
    return path.name if path.is_absolute() or place.startswith("~") else place


def _time(seconds: float) -> Sentence:
    whole = round(seconds)
    if whole < 60:
        return Sentence(f"{whole} s", f"{whole} 秒")
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return Sentence(f"{minutes} min {rest:02} s", f"{minutes} 分 {rest:02} 秒")
    hours, minutes = divmod(whole // 60, 60)
    return Sentence(f"{hours} h {minutes:02} min", f"{hours} 小时 {minutes:02} 分")
