"""docs/methods.md says what the code does."""

import re
from pathlib import Path

import pytest
import torch

from engine.config import TrainConfig
from engine.models.adapter import trainable_parameters
from engine.options.adapter import PROMPTS
from engine.options.declare import choices

PAGE = Path(__file__).resolve().parents[2] / "docs" / "methods.md"
METHODS = choices(TrainConfig.__dataclass_fields__["peft_type"])


def table():
    """{method: its cells}."""
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}


def goes(**options):
    options.setdefault("packing", options["peft_type"] not in PROMPTS)
    return "yes" if TrainConfig(**options).problems() == {} else "no"


def share(method):
    """Of the shape of Llama 7B, whose figures are the defaults of its class; nothing is loaded."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig())
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total == 6_738_415_616
    percent = 100 * trainable_parameters(model, TrainConfig(peft_type=method)) / total
    return f"{float(f'{percent:.2g}'):g} %"


def test_every_method_has_its_row():
    assert list(table()) == list(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_a_row_is_true(method):
    cells = table()[method]
    assert cells[1] == share(method)
    assert cells[2:6] == [
        goes(peft_type=method, load_in_4bit=True),
        goes(peft_type=method, load_in_8bit=True),
        goes(peft_type=method, packing=True),
        goes(peft_type=method, gradient_checkpointing=True),
    ]
    assert cells[6] == ("a second model" if method == "full" else "on the same base")
