"""The card of what leaves: README.md, in English, written from the run and its check.

What a person wrote or a model said is escaped, so that it cannot break the Markdown.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from engine import library
from engine.evaluation import verdict
from engine.export.licences import UNKNOWN, of_base, of_data
from engine.export.source import Source
from engine.places import SPROUT
from engine.training.how_to_load import load_code
from engine.training.markdown import plain
from engine.training.report import curves
from engine.training.report_parts import PARTS, bare_name

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_LIBRARIES = {"adapter": "peft", "gguf": "gguf"}
_KINDS = {
    "whole": "{base}, all of whose weights were trained: a model by itself.",
    "adapter": "An adapter ({method}) for {base}; it speaks only together with that base.",
    "merged": "{base}, with what was trained ({method}) merged into its weights ({precision}).",
    "gguf": "{base}, with what was trained ({method}) merged into its weights, as GGUF "
    "({precision}) for llama.cpp and Ollama.",
}
_OLLAMA = ("```bash", "ollama create my-model -f Modelfile", "ollama run my-model", "```")


def write_card(folder: Path, source: Source, what: str, facts: dict[str, Any]) -> None:
    """Writes README.md, and the curve beside it. `what`: adapter, merged or gguf; `facts` as in
    export.json, {} for an adapter, which is what the others are checked against."""
    if what == "adapter" and source.method == "full":
        what = "whole"
    licence = of_base(source.base)
    body = [*_opening(source, what, facts), *_check(facts), *_use(source, what)]
    if source.run:
        picture = curves(source.run.metrics(), "en")
        if picture:
            (folder / "curves.svg").write_text(picture, encoding="utf-8")
            body += ["", "## Its training", "", "![Loss over steps](curves.svg)"]
        body += [line for part in PARTS[1:-1] for line in part(source.run, "en")]
    body += [*_licences(source, licence), *_limits(source, what)]
    front = yaml.safe_dump(_front(source, what, licence), allow_unicode=True, sort_keys=False)
    text = "\n".join(["---", front.strip(), "---", "", *body]) + "\n"
    (folder / "README.md").write_text(text, encoding="utf-8")


def _front(source: Source, what: str, licence: str) -> dict[str, Any]:
    front: dict[str, Any] = {
        "library_name": _LIBRARIES.get(what, "transformers"),
        "pipeline_tag": "text-generation",
    }
    if _HUB_ID.fullmatch(source.base):
        front["base_model"] = source.base
        front["base_model_relation"] = {"adapter": "adapter", "gguf": "quantized"}.get(
            what, "finetune"
        )
    if licence != UNKNOWN:
        front["license"] = licence
    if language := _language(source):
        front["language"] = [language]
    return front | {"tags": ["greenroom", source.method.replace("_", "-"), "text-generation"]}


def _language(source: Source) -> str:
    """Of the data, where it is one of those that come with Greenroom; else ""."""
    dataset = source.run.config.dataset if source.run else ""
    return next((one.language for one in library.list_datasets() if one.id == dataset), "")


def _opening(source: Source, what: str, facts: dict[str, Any]) -> list[str]:
    told = _KINDS[what].format(
        method=plain(source.method),
        base=plain(bare_name(source.base)),
        precision=facts.get("precision", ""),
    )
    lines = [f"# {plain(source.name)}", "", told]
    card = verdict.read(source.run.path, source.run.step) if source.run else {}
    if card:
        lines += ["", f"**{plain(verdict.headline(card).en)}**"]
    return lines


def _check(facts: dict[str, Any]) -> list[str]:
    if not facts:
        return []
    return ["", "## The check of these files", "", plain(facts["said"]["en"])]


def _use(source: Source, what: str) -> list[str]:
    here, is_whole = "path/to/this/folder", what != "adapter"
    code = _OLLAMA if what == "gguf" else load_code(bare_name(source.base), here, is_whole)
    lines = ["", "## How to use it", "", *code]
    if source.system_prompt:
        quoted = [f"> {plain(line)}" for line in source.system_prompt.split("\n")]
        lines += ["", "It was trained under this system prompt:", "", *quoted]
    return lines


def _licences(source: Source, licence: str) -> list[str]:
    return [
        "",
        "## Licences",
        "",
        f"- The base, {plain(bare_name(source.base))}: {plain(licence)}.",
        f"- The data: {plain(of_data(source))}.",
    ]


def _limits(source: Source, what: str) -> list[str]:
    limits = ["It says what its data and its base made likely, and that may be wrong."]
    if source.base == SPROUT:
        limits.append("Its base, sprout, is tiny and knows no facts: a model to try things with.")
    if source.run and source.run.config.eval_size == 0 and not source.run.config.eval_dataset:
        limits.append("No rows were kept back, so whether it learned more than its rows is open.")
    if what not in ("adapter", "whole") and source.run and _was_quantised(source):
        limits.append(
            "It was trained on a quantised base and merged into the unquantised one, so it may "
            "answer a little differently from what was heard in training."
        )
    return ["", "## Limits", "", *(f"- {one}" for one in limits)]


def _was_quantised(source: Source) -> bool:
    config = source.run.config
    return config.load_in_4bit or config.load_in_8bit
