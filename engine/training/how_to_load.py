"""How somebody else loads what was tuned: the lines of Python for a report or a README."""

import json

from engine.models.sources.names import MODELSCOPE
from engine.places import SPROUT


def load_code(base: str, folder: str, is_whole: bool) -> list[str]:
    """A block of Markdown that makes `model` and `tokenizer`. `folder` is where the weights lie;
    `is_whole`: they are a model, else an adapter on `base`, as a run names it."""
    here = json.dumps(folder, ensure_ascii=False)
    lines = ["```python"]
    if is_whole:
        lines += ["from transformers import AutoModelForCausalLM, AutoTokenizer", ""]
        lines += [f"model = AutoModelForCausalLM.from_pretrained({here})"]
    else:
        is_there = base.startswith(MODELSCOPE)
        lines += ["from modelscope import snapshot_download"] * is_there
        lines += ["from peft import PeftModel"]
        lines += ["from transformers import AutoModelForCausalLM, AutoTokenizer", ""]
        lines += [f"base = AutoModelForCausalLM.from_pretrained({_place(base)})"]
        lines += [f"model = PeftModel.from_pretrained(base, {here})"]
    return [*lines, f"tokenizer = AutoTokenizer.from_pretrained({here})", "```"]


def _place(base: str) -> str:
    """As Python finds it; sprout lies in Greenroom's own folder."""
    name = "data/sprout" if base == SPROUT else base.removeprefix(MODELSCOPE)
    quoted = json.dumps(name, ensure_ascii=False)
    return f"snapshot_download({quoted})" if base.startswith(MODELSCOPE) else quoted
