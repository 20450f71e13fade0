"""The fused LoRA is PEFT's: the same outputs and gradients over every kind of frozen base, and
PEFT's own class wherever it is more than that."""

import copy

import bitsandbytes as bnb
import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora import LoraLayer
from torch._dynamo.testing import CompileCounterWithBackend

from engine.models import fused_lora
from engine.models.frozen import dense, frozen_weight
from engine.models.fused_lora import fuse

IN, OUT = 64, 96


class Body(torch.nn.Module):
    """Two linear layers, so that the gradient of an input is asked for too."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x, **kwargs):
        return self.second(torch.tanh(self.first(x, **kwargs)), **kwargs)


def plain(width_in, width_out, bias):
    return torch.nn.Linear(width_in, width_out, bias)


def four_bit(quant_type, nested):
    def make(width_in, width_out, bias):
        layer = bnb.nn.Linear4bit(
            width_in, width_out, bias, torch.float32, nested, quant_type, device="meta"
        )
        weight = torch.randn(width_out, width_in)
        layer.weight = bnb.nn.Params4bit(
            weight, requires_grad=False, compress_statistics=nested, quant_type=quant_type
        ).to("cpu")
        layer.bias = torch.nn.Parameter(torch.randn(width_out)) if bias else None
        layer.support_avx512bf16_for_cpu = False  # as engine.models.load does
        return layer

    return make


def eight_bit(width_in, width_out, bias):
    layer = bnb.nn.Linear8bitLt(width_in, width_out, bias, has_fp16_weights=False)
    return layer.to("cpu")


KINDS = {
    "plain": plain,
    "nf4, double": four_bit("nf4", True),
    "nf4": four_bit("nf4", False),
    "fp4": four_bit("fp4", False),
}


def adapted(make, bias, **lora):
    """A body in which every layer has an adapter that is not zero."""
    torch.manual_seed(0)
    body = Body(make(IN, OUT, bias), make(OUT, IN, bias))
    body.is_loaded_in_4bit = isinstance(body.first, bnb.nn.Linear4bit)
    body.is_loaded_in_8bit = isinstance(body.first, bnb.nn.Linear8bitLt)
    config = {"r": 4, "lora_alpha": 12, "target_modules": ["first", "second"]} | lora
    model = get_peft_model(body, LoraConfig(init_lora_weights=False, **config))
    return model.train()


def inputs():
    torch.manual_seed(1)
    return torch.randn(2, 5, IN, requires_grad=True), torch.randn(2, 5, IN)


def result(model, many=4):
    """Output and all gradients of a random product, the input's and `many` of adapters."""
    x, weights = inputs()
    model.zero_grad()
    y = model(x)
    (y * weights).sum().backward()
    adapter = {n: p.grad.clone() for n, p in model.named_parameters() if "lora_" in n}
    assert len(adapter) == many
    return {"y": y.detach(), "x": x.grad} | adapter


def assert_same(got, expected):
    """To 1e-5 of each tensor's largest magnitude."""
    assert got.keys() == expected.keys()
    for name, tensor in got.items():
        assert tensor.shape == expected[name].shape
        distance = (tensor - expected[name]).abs().max() / expected[name].abs().max()
        assert distance < 1e-5, name


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_pefts(kind, bias):
    model = adapted(KINDS[kind], bias)
    expected = result(model)
    assert fuse(model) == 2
    assert_same(result(model), expected)


@pytest.mark.parametrize("kind", ["nf4, double", "nf4", "fp4"])
def test_four_bit_weights_are_unpacked_exactly(kind):
    """As bitsandbytes does from its own records."""
    layer = KINDS[kind](IN, OUT, False)
    expected = bnb.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
    name, packed, numbers = frozen_weight(layer)
    assert torch.equal(dense(packed, name, numbers, torch.float32), expected)
    assert numbers[:2] == [OUT, IN]


def test_four_bit_weights_stay_exact_after_a_pass_in_eval_mode():
    """The trap of bitsandbytes: its repacked weights must not reach the operator."""
    model = adapted(KINDS["nf4, double"], False)
    expected = result(model)
    fuse(model)
    with torch.no_grad():
        model.eval()(inputs()[0])
    assert_same(result(model.train()), expected)


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_eight_bit_is_pefts_over_the_dequantised_weights(bias):
    """Not over bitsandbytes' own product, which rounds the activations to 8 bits as well."""
    model = adapted(eight_bit, bias)
    truth = adapted(plain, bias)
    for name in ("first", "second"):
        packed, whole = (getattr(one.base_model.model, name) for one in (model, truth))
        weight = packed.base_layer.weight
        assert weight.dtype == torch.int8
        whole.base_layer.weight.data = weight.data.float() * weight.SCB[:, None] / 127
        if bias:
            whole.base_layer.bias.data = packed.base_layer.bias.data.float()
        for side in ("lora_A", "lora_B"):
            getattr(whole, side).load_state_dict(getattr(packed, side).state_dict())
    assert fuse(model) == 2
    expected = result(truth)
    assert_same(result(model), expected)
    with torch.no_grad():
        model.eval()(inputs()[0])
    assert_same(result(model.train()), expected)


def test_all_layers_of_a_kind_share_one_class():
    """torch.compile would take another class for another program."""
    model, other = adapted(plain, True), adapted(KINDS["nf4"], True)
    assert fuse(model) == fuse(other) == 2
    one, two = model.base_model.model.first, model.base_model.model.second
    assert type(one) is type(two)
    assert type(one) is type(copy.deepcopy(one))
    assert isinstance(one, LoraLayer)
    packed = other.base_model.model.first
    assert type(packed) is type(other.base_model.model.second)
    assert type(packed) is not type(one)


@pytest.mark.parametrize("bias", [True, False])
def test_what_it_gives_can_be_added_to_in_place(bias):
    """As Falcon's layers add the attention to what the MLP gave."""
    model = adapted(plain, bias)
    expected = copy.deepcopy(model)
    assert fuse(model) == 2
    gradients = []
    for one in (model, expected):
        x, more = inputs()
        out = one(x)
        out += more
        out.square().sum().backward()
        gradients.append((out, x.grad))
    torch.testing.assert_close(*gradients)


def test_a_disabled_adapter_is_the_base_alone():
    model = adapted(plain, True)
    body = copy.deepcopy(model).unload()
    x = inputs()[0]
    spoken = model(x)
    fuse(model)
    with model.disable_adapter():
        assert torch.equal(model(x), body(x))
    torch.testing.assert_close(model(x), spoken)


def test_a_merged_adapter_is_not_added_twice():
    model = adapted(plain, True)
    fuse(model)
    x = inputs()[0]
    spoken = model(x)
    model.merge_adapter()
    torch.testing.assert_close(model(x), spoken, rtol=1e-4, atol=1e-4)
    model.unmerge_adapter()
    torch.testing.assert_close(model(x), spoken, rtol=1e-4, atol=1e-4)


def test_every_row_may_name_its_adapter():
    model = adapted(plain, True).eval()
    names = ["__base__", "default"]
    x = inputs()[0]
    body = copy.deepcopy(model).unload()
    fuse(model)
    mixed = model(x, adapter_names=names)
    torch.testing.assert_close(mixed[0], body(x)[0])
    torch.testing.assert_close(mixed[1], model(x)[1])


def two_adapters():
    model = adapted(plain, True)
    config = LoraConfig(r=2, target_modules=["first", "second"])
    model.add_adapter("second", config)
    return model


NOT_FUSED = {
    "DoRA": lambda: adapted(plain, True, use_dora=True),
    "dropout": lambda: adapted(plain, True, lora_dropout=0.1),
    "two adapters": two_adapters,
    "a bias of its own": lambda: adapted(plain, True, lora_bias=True),
}


@pytest.mark.parametrize("kind", NOT_FUSED)
def test_what_is_more_than_one_plain_adapter_keeps_pefts_class(kind):
    model = NOT_FUSED[kind]()
    layers = [one for one in model.modules() if isinstance(one, LoraLayer)]
    classes = [type(one) for one in layers]
    assert fuse(model) == 0
    assert [type(one) for one in layers] == classes
    assert len(layers) == 2


def test_layers_that_are_not_linear_keep_pefts_class():
    torch.manual_seed(0)
    body = torch.nn.Sequential(torch.nn.Embedding(10, 8), torch.nn.Linear(8, 8))
    model = get_peft_model(body, LoraConfig(r=2, target_modules=["0", "1"]))
    assert fuse(model) == 1


class Attending(torch.nn.Module):
    """Queries, keys and values, whose sizes differ, as a model has them; `other`: keys read
    something else."""

    def __init__(self, make, bias, other=False):
        super().__init__()
        self.q_proj, self.k_proj = make(IN, OUT, bias), make(IN, OUT // 2, bias)
        self.v_proj, self.o_proj = make(IN, OUT // 2, bias), make(OUT, IN, bias)
        self.other = other

    def forward(self, x, **kwargs):
        k, v = self.k_proj(x * 2 if self.other else x), self.v_proj(x)
        return self.o_proj(self.q_proj(x) * torch.tanh(torch.cat([k, v], -1)))


class Layer(Attending):
    """As models call them: queries first."""

    def forward(self, x, **kwargs):
        q = self.q_proj(x)
        k, v = self.k_proj(x * 2 if self.other else x), self.v_proj(x)
        return self.o_proj(q * torch.tanh(torch.cat([k, v], -1)))


def attending(make, bias, kind=Layer, other=False, **lora):
    torch.manual_seed(0)
    body = kind(make, bias, other)
    body.is_loaded_in_4bit = isinstance(body.q_proj, bnb.nn.Linear4bit)
    config = {"r": 4, "lora_alpha": 12, "target_modules": r"\w_proj"} | lora
    return get_peft_model(body, LoraConfig(init_lora_weights=False, **config)).train()


@pytest.fixture
def calls(monkeypatch):
    """How many layers each call of the operator computes."""
    counted, plain = [], fused_lora.lora_linear

    def counting(*args):
        counted.append(len(args[7]))
        return plain(*args)

    monkeypatch.setattr(fused_lora, "lora_linear", counting)
    return counted


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("kind", KINDS)
def test_layers_that_read_one_x_are_one_call(kind, bias, calls):
    """Ranks of their own; outputs and gradients are PEFT's."""
    model = attending(KINDS[kind], bias, rank_pattern={"k_proj": 2}, alpha_pattern={"k_proj": 6})
    expected = result(model, 8)
    assert fuse(model) == 4
    assert_same(result(model, 8), expected)
    assert calls == [3, 1]


def test_alone_they_are_what_they_are_together(calls):
    model = attending(plain, True)
    expected = result(model, 8)
    assert fuse(model, siblings=False) == 4
    assert_same(result(model, 8), expected)
    assert calls == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("how", "counted"),
    [
        ({"other": True}, [3, 1, 1]),  # keys by themselves, the others together
        ({"kind": Attending}, [1, 1, 3, 1]),  # queries come last: nobody takes what they leave
        ({"alpha_pattern": {"v_proj": 2}}, [1, 1, 1, 1]),
        ({"target_modules": ["q_proj", "v_proj"]}, [2]),
    ],
)
def test_an_x_of_ones_own_is_read_alone(how, counted, calls):
    model = attending(plain, True, **how)
    many = 4 if "target_modules" in how else 8
    expected = result(model, many)
    fuse(model)
    assert_same(result(model, many), expected)
    assert calls == counted
    assert_same(result(model, many), expected)


def test_a_compiler_takes_siblings_as_one_program_for_all_layers():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([Layer(plain, True), Layer(plain, True)])

        def forward(self, x, **kwargs):
            return self.layers[1](self.layers[0](x))

    torch.manual_seed(0)
    model = get_peft_model(
        Two(), LoraConfig(r=4, target_modules=r".*_proj", init_lora_weights=False)
    )
    expected = result(model, 16)
    fuse(model)
    counter = CompileCounterWithBackend("aot_eager")
    for layer in model.base_model.model.layers:
        layer.forward = torch.compile(layer.forward, backend=counter, fullgraph=True)
    for _ in range(2):
        assert_same(result(model, 16), expected)
    assert counter.frame_count == 1


def test_the_operators_are_what_they_say():
    """torch's own check: their fake tensors, their autograd, and that they change no input."""
    x, _ = inputs()
    torch.manual_seed(2)
    a = torch.randn(6, IN, requires_grad=True)
    b = [torch.randn(OUT, 4, requires_grad=True), torch.randn(OUT - 8, 2, requires_grad=True)]
    h = (x @ a.t()).detach().reshape(-1, 6) * 3
    packed, numbers = [torch.randn(OUT, IN), torch.randn(OUT - 8, IN)], [OUT, IN, OUT - 8, IN]
    torch.library.opcheck(
        torch.ops.greenroom.lora_linear,
        (x, h, packed, "plain", numbers, [torch.randn(OUT), torch.randn(OUT - 8)], a, b, 3.0),
    )
    grads, b = [torch.randn(2, 5, OUT), torch.randn(2, 5, OUT - 8)], [one.detach() for one in b]
    torch.library.opcheck(
        torch.ops.greenroom.lora_linear_backward,
        (grads, x.detach(), h, packed, "plain", numbers, a.detach(), b, 3.0),
    )
