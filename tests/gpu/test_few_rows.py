"""The kernels of decoding, and the captured step, against plain products and the model itself."""

import json

import pytest
import torch

from engine.chat.many import answer_many
from engine.chat.sampling import checked
from engine.chat.voices import BASE, Voices
from engine.hardware import pick_device
from engine.models import few_rows
from engine.models.frozen import dense, frozen_weight
from engine.models.load import Quantization

pytestmark = pytest.mark.gpu


def layer(kind, height, width):
    if kind == "plain":
        return torch.nn.Linear(width, height, device="cuda", dtype=torch.bfloat16)
    import bitsandbytes as bnb

    if kind == "int8":
        made = bnb.nn.Linear8bitLt(width, height, has_fp16_weights=False)
    else:
        made = bnb.nn.Linear4bit(
            width,
            height,
            compute_dtype=torch.bfloat16,
            quant_type=kind.split("-")[0],
            compress_statistics="nested" in kind,
        )
    made.weight.data.normal_(std=0.02)
    made = made.cuda()
    made.bias.data = made.bias.data.bfloat16()
    return made


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("height", "width"), [(18944, 3584), (3584, 18944), (100, 70)])
def test_eight_bit_weights_are_unpacked_to_the_last_bit(height, width, dtype):
    kind, packed, numbers = frozen_weight(layer("int8", height, width))
    right = packed[0].float() * (packed[1][:, None] / 127)
    assert torch.equal(dense(packed, kind, numbers, dtype), right.to(dtype))


@pytest.mark.parametrize("kind", ["plain", "int8", "nf4", "nf4-nested", "fp4"])
@pytest.mark.parametrize("rows", [1, 2, 3, 8])
@pytest.mark.parametrize("rank", [16, 64])
def test_a_frozen_product_with_an_adapter_for_each_row(kind, rows, rank):
    """Also of sizes that no tile divides, and once more with what the launch before has left."""
    for height, width in ((512, 3584), (3584, 18944), (100, 64), (20000, 192)):
        frozen = layer(kind, height, width)
        x = torch.randn(rows, 1, width, device="cuda", dtype=torch.bfloat16)
        a = torch.randn(rank, width, device="cuda", dtype=torch.bfloat16) * 0.05
        b = torch.randn(height, rank, device="cuda", dtype=torch.bfloat16) * 0.05
        scales = torch.rand(rows, rank, device="cuda")
        kind_, packed, numbers = frozen_weight(frozen)
        weight = dense(packed, kind_, numbers, x.dtype).float()
        plain = x.float() @ weight.t() + frozen.bias.float()
        for one in (a, a.flip(0), None):
            lora, expected = (None, None, None), plain
            if one is not None:
                h = (x.float() @ one.float().t()) * scales[:, None]
                lora, expected = (one, b, scales), plain + h @ b.float().t()
            said = few_rows.rows_linear(x, packed, kind_, numbers, frozen.bias, *lora).float()
            assert (said - expected).norm() < 5e-3 * expected.norm()


@pytest.fixture
def two_counters(monkeypatch):
    monkeypatch.setattr(few_rows, "_LAUNCHES", 2)
    few_rows._counters.cache_clear()
    yield
    few_rows._counters.cache_clear()


@pytest.mark.parametrize("captured", [False, True])
def test_launches_go_on_when_no_counter_is_left(two_counters, captured):
    """A launch that found its counter full would add what the one before made of x; one that found
    it gone would wait for ever. In a graph of three launches they begin anew in its midst."""
    frozen = torch.nn.Linear(3584, 512, bias=False, device="cuda", dtype=torch.bfloat16)
    x, zero = torch.randn(2, 1, 3584, device="cuda", dtype=torch.bfloat16), frozen.weight * 0
    a = torch.randn(16, 3584, device="cuda", dtype=torch.bfloat16) * 0.05
    b, scales = a[:, :512].t().contiguous(), torch.ones(2, 16, device="cuda")
    kept = torch.empty(3, 2, 1, 512, device="cuda", dtype=torch.bfloat16)

    def launched():
        for number in range(3):
            lora = a * (number + 1), b, scales
            kept[number] = few_rows.rows_linear(x, [zero], "plain", [512, 3584], None, *lora)

    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):
        launched()
    stream.synchronize()
    if captured:
        with torch.cuda.graph(graph, stream=stream):
            few_rows.count_anew(x.device)
            launched()
    once = (x.float() @ a.float().t()) @ b.float().t()
    for _ in range(3):
        kept.zero_()
        graph.replay() if captured else launched()
        for number, said in enumerate(kept.float()):
            assert (said - (number + 1) * once).norm() < 2e-2 * (number + 1) * once.norm()


@pytest.mark.parametrize(
    ("rows", "heads", "groups", "width", "written", "window"),
    [(2, 28, 4, 128, 456, 0), (4, 8, 8, 64, 1, 0), (3, 6, 2, 80, 300, 64), (1, 4, 1, 256, 120, 0)],
)
def test_attention_over_a_cache_in_place(rows, heads, groups, width, written, window):
    def random(*shape):
        return torch.randn(*shape, device="cuda", dtype=torch.bfloat16)

    q, k, v = random(rows, heads, 1, width), *(random(rows, groups, 1, width) for _ in "kv")
    keys, values = random(rows, groups, 512, width), random(rows, groups, 512, width)
    expected = keys.clone(), values.clone()
    expected[0][:, :, written], expected[1][:, :, written] = k[:, :, 0], v[:, :, 0]
    starts = torch.arange(rows, device="cuda", dtype=torch.int32) * (written > 20) * 5
    place = torch.arange(512, device="cuda")
    heard = (place[None] <= written) & (place[None] >= starts[:, None])
    if window:
        heard &= place[None] > written - window
    said = few_rows.rows_attend(
        q, k, v, keys, values, starts, torch.tensor([written], device="cuda").int(), 0.1, window
    )
    assert torch.equal(keys, expected[0])
    assert torch.equal(values, expected[1])
    right = torch.nn.functional.scaled_dot_product_attention(
        q.float(), *(one.float() for one in expected), attn_mask=heard[:, None, None], scale=0.1,
        enable_gqa=True,
    ).transpose(1, 2)  # fmt: skip
    assert (said.float() - right).norm() < 5e-3 * right.norm()


@pytest.fixture(scope="module")
def model_and_adapters(tmp_path_factory, tokenizer):
    """A model that is sure of itself (large head), so that greedy answers bear rounding."""
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen3Config, Qwen3ForCausalLM

    home = tmp_path_factory.mktemp("captured")
    torch.manual_seed(0)
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3, "head_dim": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    config = Qwen3Config(vocab_size=len(tokenizer), max_position_embeddings=512, **sizes, **heads)
    model = Qwen3ForCausalLM(config)
    model.lm_head.weight.data.mul_(20)
    model.save_pretrained(home / "base")
    tokenizer.save_pretrained(home / "base")
    folders = {}
    for name, rank in (("one", 4), ("two", 8), ("three", 8)):
        lora = LoraConfig(
            r=rank, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
        )
        get_peft_model(model, lora).save_pretrained(home / name)
        model = Qwen3ForCausalLM.from_pretrained(home / "base")
        card = {"base_model": str(home / "base")}
        (home / name / "greenroom.json").write_text(json.dumps(card), encoding="utf-8")
        folders[name] = home / name
    return str(home / "base"), folders


@pytest.mark.parametrize("bits", [0, 8, 4])
def test_captured_answers_are_the_answers(model_and_adapters, bits):
    """Prompts of different length, one voice less than captured, and after a swap of adapters."""
    base, folders = model_and_adapters
    voices = Voices(base, pick_device(), Quantization(bits == 4, bits == 8))
    long = [{"role": "user", "content": "What colour is the sea tonight? " * 3}]
    turns = {BASE: long, "one": [{"role": "user", "content": "Hi"}], "two": long, "three": long}
    settings = checked({"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 12})

    def heard(names, captured):
        """Logits [steps, rows, pieces] where every row goes on with the same tokens."""
        speakers = [voices.speaker(name, turns[name], settings) for name in names]
        kept, voices._captured = voices._captured, voices._captured if captured else None
        batch = voices._batch(speakers)
        voices._captured = kept
        assert batch.captured == captured
        with torch.inference_mode():
            scores = [batch._first()]
            for token in (300, 41, 7, 60, 61):
                batch._tokens = torch.full((len(names),), token, device=scores[0].device)
                scores.append(batch._next())
        return torch.stack(scores)

    graphs = []
    for names in (["one", "two"], ["one", "three"]):
        voices.use({name: folders[name] for name in names})
        voices._captured.wait()
        graphs.append(voices._captured)
        everyone = [BASE, *names]
        for some in (everyone, names):
            ours, right = heard(some, True), heard(some, False)
            # Rounding makes 0.01; a wrong row, place or voice makes 0.3 and more.
            assert ((ours - right).norm(dim=-1) < 0.05 * right.norm(dim=-1)).all()
        assert ((ours[1:, 0] - ours[1:, 1]).norm(dim=-1) > 0.3 * ours[1:, 0].norm(dim=-1)).all()
    assert graphs[0] is graphs[1]  # of the same shapes: nothing was compiled again


@pytest.mark.parametrize("bits", [0, 8, 4])
@pytest.mark.parametrize("settings", [{"temperature": 0, "repetition_penalty": 1}, {}])
def test_many_questions_are_captured_by_themselves(
    model_and_adapters, bits, settings, monkeypatch, capfd
):
    """More rows than the kernels of a few take, and so few that they take them, while a
    conversation's step is still compiled; each answer is the one of decoding step by step."""
    base, folders = model_and_adapters
    voices = Voices(base, pick_device(), Quantization(bits == 4, bits == 8))
    voices.use({name: folders[name] for name in ("one", "two")})
    asked = [[{"role": "user", "content": "Who? " * n + "Hi"}] for n in range(9)]

    def said(conversations):
        histories = [dict.fromkeys(voices.names, one) for one in conversations]
        ended = answer_many(voices, histories, **settings, max_new_tokens=12)
        answers = [one for some in ended for one in some["answers"]]
        return {(one["index"], one["voice"]): one["text"] for one in answers}

    captured = said(asked), said(asked[:2])
    told = capfd.readouterr().err
    assert told.count("Captured decoding differs by 0.0") == 2, told
    voices._captured.wait()
    assert not voices._captured.failed
    monkeypatch.setattr(voices, "_captured", None)
    plain = said(asked), said(asked[:2])
    for ours, right in zip(captured, plain, strict=True):
        assert ours.keys() == right.keys()
        same = sum(ours[one] == text for one, text in right.items())
        assert same >= 0.8 * len(right)  # rounding may turn one that is near a tie
