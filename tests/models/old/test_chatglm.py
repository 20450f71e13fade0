"""ChatGLM-6B's port against its formulas written out: one row, one head, one token after another.

The formulas gave the logits of the original code, on a checkpoint of the original's, to 2e-6 of
float32 (2026-11-21); here they read weights of their own, under the original's names.
"""

import json
import math

import pytest
import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.attention import knows_boundaries
from engine.models.loss_head import give_loss_head
from engine.models.old import chatglm
from engine.models.old.names import CHATGLM_COPY
from engine.models.targets import linear_names
from engine.training.estimate import model_shape
from tests.models.old.layouts import CHATGLM as OLD
from tests.models.old.layouts import chatglm_weights

PAD, MASK, GMASK, SOP = 3, 90, 91, 94
LONG = [40, 12, 77, 8, 23, 61, GMASK, SOP, 30, 11, 52]
SHORT = [17, 64, GMASK, SOP, 29, 80, 33]
MASKED = [15, MASK, 28, 44, SOP, 71, 9]


@pytest.fixture(scope="module")
def old_folder(tmp_path_factory):
    """A checkpoint as published: the original's config and names, with its frequencies."""
    folder = tmp_path_factory.mktemp("models") / "chatglm-6b"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(OLD))
    frequencies = {
        f"transformer.layers.{n}.attention.rotary_emb.inv_freq": torch.ones(8) for n in range(2)
    }
    save_file(chatglm_weights() | frequencies, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture
def load(old_folder):
    def load(**options):
        options = {"dtype": torch.float32} | options
        config = chatglm.native_config(OLD)
        return chatglm.model_class().from_pretrained(old_folder, config=config, **options)

    return load


def norm(states, held, name):
    return F.layer_norm(states, states.shape[-1:], held[f"{name}.weight"], held[f"{name}.bias"])


def linear(states, held, name):
    return states @ held[f"{name}.weight"].T + held[f"{name}.bias"]


def turned(vector, position):
    """A half of a head, turned by its position in pairs of its own two halves."""
    half = len(vector) // 2
    rates = torch.tensor([10000 ** (-i / half) for i in range(half)]).half().float()
    cos, sin = (position * rates).cos(), (position * rates).sin()
    first, second = vector[:half], vector[half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin])


def attended(mixed, places, prompt, heads):
    tokens, width = len(mixed), mixed.shape[1] // heads // 3
    rows = []
    for at in range(tokens):
        seen = [other for other in range(tokens) if other <= at or other < prompt]
        said = []
        for head in mixed.view(tokens, heads, 3 * width).unbind(1):

            def placed(of, begin, head=head):
                vector, (place, block) = head[of, begin : begin + width], places[of]
                first, second = vector.chunk(2)
                return torch.cat([turned(first, place), turned(second, block)])

            query = placed(at, 0)
            scores = [query @ placed(other, width) / math.sqrt(width) for other in seen]
            said.append(torch.stack(scores).softmax(0) @ head[seen, 2 * width :])
        rows.append(torch.cat(said))
    return torch.stack(rows)


def written_out(held, ids):
    """Logits [tokens, vocabulary] of a row without padding."""
    prompt = ids.index(SOP)
    marked = ids.index(GMASK if GMASK in ids else MASK)
    places = [(i, 0) if i < prompt else (marked, i - prompt + 1) for i in range(len(ids))]
    hidden = held["transformer.word_embeddings.weight"][ids]
    for number in range(OLD["num_layers"]):
        layer, alpha = f"transformer.layers.{number}", math.sqrt(2 * 28)
        hidden = norm(hidden, held, f"{layer}.input_layernorm")
        mixed = linear(hidden, held, f"{layer}.attention.query_key_value")
        heard = attended(mixed, places, prompt, OLD["num_attention_heads"])
        hidden = hidden * alpha + linear(heard, held, f"{layer}.attention.dense")
        hidden = norm(hidden, held, f"{layer}.post_attention_layernorm")
        inner = linear(hidden, held, f"{layer}.mlp.dense_h_to_4h")
        inner = 0.5 * inner * (1 + (math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)).tanh())
        hidden = hidden * alpha + linear(inner, held, f"{layer}.mlp.dense_4h_to_h")
    return norm(hidden, held, "transformer.final_layernorm") @ held["lm_head.weight"].T


def padded(*rows):
    longest = max(map(len, rows))
    ids = torch.tensor([[PAD] * (longest - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def greedy(held, ids, count):
    for _ in range(count):
        ids = [*ids, int(written_out(held, ids)[-1].argmax())]
    return ids


def close(given, wanted):
    torch.testing.assert_close(given, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@torch.no_grad()
def test_logits_are_those_of_the_formulas(load, attention):
    """A row by itself, rows padded on the left, rows padded on the right as in training."""
    model, held = load(attn_implementation=attention), chatglm_weights()
    wanted = [written_out(held, row) for row in (LONG, SHORT, MASKED)]
    for row, logits in zip((LONG, SHORT, MASKED), wanted, strict=True):
        close(model(input_ids=torch.tensor([row])).logits[0], logits)
    together = model(**padded(LONG, SHORT, MASKED)).logits
    for given, logits in zip(together, wanted, strict=True):
        close(given[-len(logits) :], logits)
    right = torch.tensor([LONG, SHORT + [PAD] * (len(LONG) - len(SHORT))])
    positions = torch.arange(len(LONG)).expand(2, -1)
    trained = model(input_ids=right, position_ids=positions, use_cache=False).logits
    close(trained[0], wanted[0])
    close(trained[1, : len(SHORT)], wanted[1])


@torch.no_grad()
def test_an_answer_grows_as_the_formulas_say(load):
    """Greedy tokens with either cache and with none, padded and in beams of one."""
    model, held = load(), chatglm_weights()
    prompts = LONG[:8], SHORT[:4]
    wanted = [greedy(held, prompt, 4)[len(prompt) :] for prompt in prompts]
    asked = padded(*prompts) | {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None}
    for cache in ({}, {"cache_implementation": "static"}, {"use_cache": False}):
        assert model.generate(**asked, **cache)[:, 8:].tolist() == wanted


@torch.no_grad()
def test_two_voices_keep_their_own_prompts(load):
    """Token by token with a cache each, in turns, as the chat does it."""
    model, held = load(), chatglm_weights()
    caches = [DynamicCache(config=model.config) for _ in range(2)]
    given: list[list[torch.Tensor]] = [[], []]
    steps = [(LONG[:8], SHORT[:4]), *(([a], [b]) for a, b in zip(LONG[8:], SHORT[4:], strict=True))]
    for step in steps:
        for voice, fresh in enumerate(step):
            output = model(
                input_ids=torch.tensor([fresh]), past_key_values=caches[voice], use_cache=True
            )
            given[voice].append(output.logits[0])
    close(torch.cat(given[0]), written_out(held, LONG))
    close(torch.cat(given[1]), written_out(held, SHORT))


@torch.no_grad()
def test_prompts_are_found_in_embeddings_too(load):
    """PEFT's prompt tuning hands on no ids."""
    model = load()
    words = model.get_input_embeddings()(torch.tensor([LONG]))
    close(model(inputs_embeds=words).logits[0], written_out(chatglm_weights(), LONG))
    with pytest.raises(ValueError, match="either input_ids or inputs_embeds"):
        model()


@torch.no_grad()
def test_a_row_without_a_start_has_no_prompt(load):
    """Plain text is read from left to right: what comes later changes nothing before it."""
    model, row = load(), [5, 6, 7, 8, 9]
    first = model(input_ids=torch.tensor([row])).logits[0, :3]
    other = model(input_ids=torch.tensor([[*row[:3], 50, 51]])).logits[0, :3]
    assert torch.equal(first, other)
    close(model(**padded(row, LONG)).logits[0, -5:-2], first)


def test_the_loss_is_that_of_the_answer(load):
    labels = torch.tensor([LONG])
    labels[:, :8] = -100
    given = load()(input_ids=torch.tensor([LONG]), labels=labels).loss
    wanted = F.cross_entropy(written_out(chatglm_weights(), LONG)[7:10], torch.tensor(LONG[8:]))
    close(given, wanted)
    trained = load()
    assert give_loss_head(trained, False)
    ids, at = torch.tensor([LONG]), torch.arange(7, 10)
    close(trained(input_ids=ids, targets=torch.tensor(LONG[8:]), at=at), 3 * wanted)


@pytest.mark.parametrize("with_frequencies", [True, False])
def test_original_names_load_whole_and_a_copy_is_the_same(old_folder, tmp_path, with_frequencies):
    """Also from .bin, which are read without unpickling; no frequency is taken from the file."""
    held = load_file(old_folder / "model.safetensors")
    if not with_frequencies:
        held = chatglm_weights()
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text(json.dumps(OLD))
    torch.save(held, source / "pytorch_model.bin")
    model, found = chatglm.model_class().from_pretrained(
        source,
        config=chatglm.native_config(OLD),
        dtype=torch.float32,
        output_loading_info=True,
    )
    assert chatglm.native_config(OLD).dtype is torch.float16
    assert found["missing_keys"] == found["unexpected_keys"] == set()
    assert found["mismatched_keys"] == set()
    model.save_pretrained(tmp_path / "copy")
    assert AutoConfig.from_pretrained(tmp_path / "copy").model_type == CHATGLM_COPY
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "copy")
    ids = torch.tensor([LONG])
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)
        close(again(input_ids=ids).logits[0], written_out(held, LONG))


def test_checkpointed_layers_have_the_same_gradients(load):
    model, ids = load().train(), torch.tensor([LONG])
    gradients = []
    for _ in range(2):
        model.zero_grad()
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        gradients.append([one.grad.clone() for one in model.parameters()])
        model.activation_checkpointing_enable()
    layers = [one for one in model.modules() if isinstance(one, GradientCheckpointingLayer)]
    assert [one.gradient_checkpointing for one in layers] == [True, True]
    assert all(map(torch.equal, *gradients))


@pytest.mark.parametrize("bits", [16, 8, 4])
def test_an_adapter_on_the_fused_projection_learns_and_is_read_again(load, tmp_path, bits):
    """With the targets that the old adapters name, on a base stored in less."""
    stored = {"load_in_4bit": bits == 4, "load_in_8bit": bits == 8}
    options = {"device_map": {"": "cpu"}}
    if bits < 16:
        options["quantization_config"] = BitsAndBytesConfig(**stored)
    ids = torch.tensor([LONG])
    model = get_peft_model(
        load(**options), LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["query_key_value"])
    )
    kind = type(model.base_model.model.transformer.layers[0].mlp.dense_h_to_4h).__name__
    assert kind == {16: "Linear", 8: "Linear8bitLt", 4: "Linear4bit"}[bits]
    assert type(model.base_model.model.lm_head) is torch.nn.Linear
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], 0.5)
    losses = []
    for _ in range(3):
        loss = model(input_ids=ids, labels=ids, use_cache=False).loss
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[2] < losses[1] < losses[0]
    model.eval().save_pretrained(tmp_path)
    again = PeftModel.from_pretrained(load(**options), tmp_path)
    with torch.no_grad():
        assert torch.equal(again(input_ids=ids).logits, model(input_ids=ids).logits)


@pytest.mark.parametrize("method", [PromptTuningConfig, PrefixTuningConfig])
@torch.no_grad()
def test_learned_tokens_stand_before_every_prompt(load, method):
    """What generates with a cache is what a whole forward says, for rows of several lengths."""
    torch.manual_seed(0)
    model = get_peft_model(load(), method(task_type="CAUSAL_LM", num_virtual_tokens=3)).eval()
    options = {"max_new_tokens": 4, "do_sample": False, "eos_token_id": None}
    options |= {"return_dict_in_generate": True, "output_logits": True}
    asked = padded(LONG[:8], SHORT[:4])
    grown = model.generate(**asked, **options)
    logits = torch.stack(grown.logits, dim=1)
    mask = F.pad(asked["attention_mask"], (0, 4), value=1)
    close(logits, model(input_ids=grown.sequences, attention_mask=mask).logits[:, -5:-1])
    alone = model.generate(**padded(SHORT[:4]), **options)
    close(torch.stack(alone.logits, dim=1)[0], logits[1])


def test_half_precision_is_near(load):
    """A thousandth of the logits' spread, as the original's own rounding was."""
    wanted = written_out(chatglm_weights(), LONG)
    for attention in ("sdpa", "eager"):
        with torch.no_grad():
            model = load(dtype=torch.float16, attn_implementation=attention)
            given = model(input_ids=torch.tensor([LONG])).logits[0].float()
        assert (given - wanted).abs().max() < 5e-3 * wanted.std()


def test_other_attentions_are_refused(load):
    with pytest.raises(ValueError, match="flex_attention"):
        load(attn_implementation="flex_attention")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pre_seq_len", 128),
        ("quantization_bit", 4),
        ("position_encoding_2d", False),
        ("vocab_size", 150528),
    ],
)
def test_what_the_port_does_not_know_is_refused_by_name(name, value):
    with pytest.raises(UserError, match=f"{name}: {value}") as said:
        chatglm.native_config(OLD | {name: value})
    assert said.value.field == "model_name_or_path"
    assert f"{name}: {value}" in said.value.sentence.zh
    assert (
        chatglm.native_config(OLD | {"pre_seq_len": None, "quantization_bit": 0}).hidden_size == 64
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [({}, "packing"), ({"packing": False, "loss_on": "everything"}, "loss_on")],
)
def test_rows_that_would_see_each_other_are_refused(load, tmp_path, changes, field):
    """And a prompt that sees itself is not learned; apart, rows are trained on."""
    model = load()
    assert not knows_boundaries(model)
    model.save_pretrained(tmp_path)
    config = {"model_name_or_path": str(tmp_path), "dataset": "any"}
    with pytest.raises(UserError) as said:
        model_shape(TrainConfig(**config, **changes))
    assert said.value.field == field
    assert said.value.sentence.zh
    shape = model_shape(TrainConfig(**config, packing=False))
    assert shape.linear_names == tuple(linear_names(model))
    assert shape.linear_names == ("dense", "dense_4h_to_h", "dense_h_to_4h", "query_key_value")
