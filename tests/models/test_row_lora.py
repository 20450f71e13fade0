"""LoRA layers that tell rows apart give each row what PEFT gives its adapter alone."""

import peft
import pytest
import torch
from peft.tuners.lora import LoraLayer

from engine.models.row_lora import RowLora

NAMES = ["one", "two"]


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(6, 5)

    def forward(self, x):
        return self.linear(x)


@pytest.fixture
def made():
    """(model, x [rows, tokens, in], {voice: what PEFT says of x}); ranks 2 and 3."""
    torch.manual_seed(0)
    configs = [
        peft.LoraConfig(r=r, lora_alpha=4, target_modules=["linear"], init_lora_weights=False)
        for r in (2, 3)
    ]
    model = peft.get_peft_model(Layer(), configs[0], adapter_name="one")
    model.add_adapter("two", configs[1])
    model.eval().requires_grad_(False)
    x = torch.randn(4, 3, 6)
    with model.disable_adapter():
        said = [model(x)]
    for name in NAMES:
        model.set_adapter(name)
        said.append(model(x))
    return model, x, said


def rows_of(model):
    layers = {n: one for n, one in model.named_modules() if isinstance(one, LoraLayer)}
    return RowLora(layers, NAMES, torch.float32)


@pytest.mark.parametrize("tokens", [3, 1])
@pytest.mark.parametrize("voices", [[0, 1, 2, 1], [2, 2, 2, 2], [0, 0, 0, 0], [1, 2]])
def test_each_row_is_what_its_voice_says_alone(made, voices, tokens):
    """Also when another batch spoke before, and in a layer computed in another precision."""
    model, x, said = made
    x, said = x[: len(voices), :tokens], [one[: len(voices), :tokens] for one in said]
    expected = torch.stack([said[voice][row] for row, voice in enumerate(voices)])
    rows = rows_of(model)
    with torch.inference_mode():
        for before in ([1, 0, 0, 2][: len(voices)], voices, voices):
            rows.take(before)
            heard = model(x)
        torch.testing.assert_close(heard, expected, atol=1e-6, rtol=1e-6)
        model.base_model.model.linear.base_layer.double()
        torch.testing.assert_close(model(x.double()), expected.double(), atol=1e-6, rtol=1e-6)
        rows.take(None)
        torch.testing.assert_close(model(x.double()).float(), said[2], atol=1e-6, rtol=1e-6)


def test_where_only_the_base_speaks_it_is_the_base_bit_for_bit(made):
    """Of any number of rows: the adapters' part is not computed at all, not even as zero."""
    model, x, said = made
    rows_of(model).take([0])
    with torch.inference_mode():
        model.base_model.model.linear.row_a.fill_(float("nan"))
        assert torch.equal(model(x), said[0])


def test_compiled_code_takes_its_own_scales(made):
    """Whatever the rows outside of it take."""
    model, x, said = made
    rows = rows_of(model)
    rows.graph_scales(4)
    rows.take_in_graph([1, 0, 2, 2])
    rows.take([0, 0, 0, 0])
    torch._dynamo.reset()
    with torch.no_grad():
        heard = torch.compile(model, backend="eager", fullgraph=True)(x)
    torch.testing.assert_close(
        heard,
        torch.stack([said[v][row] for row, v in enumerate([1, 0, 2, 2])]),
        atol=1e-6,
        rtol=1e-6,
    )
