"""Training on old checkpoints: packed rows stand alone, old module names find today's layers, and a
whole run leaves a native adapter, or a native model, that is heard."""

import json

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.chat.tuned import Tuned
from engine.chat.voices import Voices
from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.models.adapter import save
from engine.models.attention import knows_boundaries, use_varlen
from engine.models.load import Quantization, empty_model, load_base
from engine.models.loss_head import give_loss_head
from engine.models.targets import matching, renamed_targets, target_modules
from engine.training import runs
from engine.training.arguments import arguments
from engine.training.assemble import build_model
from engine.training.estimate import estimate
from engine.training.levers import foresee, pull
from engine.training.loop import PackedTrainer
from engine.training.micro_steps import Layout
from engine.training.train import train
from tests.models.old import layouts

pytestmark = pytest.mark.usefixtures("same_signals")

ROWS = [[5, 9, 300, 41, 7, 2], [8, 100, 77], [6, 60, 61, 62, 63, 64, 65, 2]]
RULES = {
    "chatglm3": (layouts.chatglm3_weights, layouts.chatglm3_logits),
    "qwen": (layouts.qwen_weights, layouts.qwen_logits),
}


@pytest.fixture(params=RULES)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, chatglm3_folder, qwen_folder):
    return {"chatglm3": chatglm3_folder, "qwen": qwen_folder}[kind]


@pytest.mark.parametrize("way", ["padded", "flat", "varlen"])
def test_the_packed_loss_is_that_of_the_rows_alone(kind, folder, way, tmp_path, cpu):
    """By the old rules, row after row; an adapter that has learned nothing adds nothing."""
    config = TrainConfig(model_name_or_path=str(folder), lora_r=4)
    model = build_model(config, cpu)
    base = model.get_base_model()
    assert knows_boundaries(base)
    if way == "varlen":
        assert use_varlen(base)
    assert give_loss_head(base, compiled=False)
    layout = Layout(0, flat=way != "padded", capacity=99, longest=8, multiple=4)
    trainer = PackedTrainer(
        model=model,
        args=arguments(config, tmp_path, cpu, max_steps=1, evaluates=False),
        layout=layout,
        has_loss_head=True,
    )
    items = [{"input_ids": ids, "labels": [-100, *ids[1:]]} for ids in ROWS]
    packs = trainer.data_collator([join(items[:2]), join(items[2:])])
    found = trainer.training_step(model.train(), packs).item()
    weights, rules = RULES[kind]
    losses, held = [], weights()
    for ids in map(torch.tensor, ROWS):
        logits = rules(held, ids)[:-1]
        losses.append(torch.nn.functional.cross_entropy(logits, ids[1:], reduction="sum"))
    assert found == pytest.approx(float(sum(losses) / sum(len(ids) - 1 for ids in ROWS)), abs=1e-5)


def test_what_makes_a_run_fast_holds_for_them(folder, cpu):
    """As on a CPU: the fused adapters and the loss head are pulled, checkpointed too."""
    config = TrainConfig(model_name_or_path=str(folder), lora_r=4, gradient_checkpointing=True)
    model = build_model(config, cpu)
    levers = pull(model, config, foresee(config, cpu, varlen=True, max_steps=8))
    assert (levers.fused_lora, levers.loss_head, levers.varlen) == (True, True, True)
    loss = model(input_ids=torch.tensor([ROWS[0]]), labels=torch.tensor([ROWS[0]])).loss
    loss.backward()
    grads = [p.grad for n, p in model.named_parameters() if "lora_B" in n]
    assert grads
    assert all(grad.abs().sum() > 0 for grad in grads)


TODAY = {
    "qwen": {
        "c_attn": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "c_proj": ["self_attn.o_proj", "mlp.down_proj"],
        "w1": ["mlp.up_proj"],
        "mlp.w2": ["mlp.gate_proj"],
    },
    "chatglm3": {
        "query_key_value": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "dense": ["self_attn.o_proj"],
        "dense_h_to_4h": ["mlp.gate_up_proj"],
        "mlp.dense_4h_to_h": ["mlp.down_proj"],
    },
}


def test_old_module_names_stand_for_todays(kind, folder):
    """All of them together are all linear layers; today's own names are left as they are."""
    model, names = empty_model(str(folder)), TODAY[kind]
    assert renamed_targets(model, " , ".join(names)) == names
    assert target_modules(model, ", ".join(names)) == [one for new in names.values() for one in new]
    assert sorted(matching(model, ",".join(names))) == sorted(matching(model, "all-linear"))
    first = next(iter(names))
    assert target_modules(model, f"o_proj,{first}") == ["o_proj", *names[first]]
    assert renamed_targets(model, "o_proj, ln_1, attention") == {}


def test_other_models_have_no_old_names(tiny_model_folder):
    assert renamed_targets(empty_model(str(tiny_model_folder)), "c_attn,w1") == {}


@pytest.fixture
def values(qwen_folder, small_dataset):
    """The tutorials' Qwen-7B: LoRA on its own modules' names."""
    return {
        "dataset": str(small_dataset),
        "model_name_or_path": str(qwen_folder),
        "max_length": 512,
        "lora_r": 4,
        "lora_target_modules": "c_attn, c_proj, w1, w2",
        "learning_rate": 1e-2,
        "per_device_train_batch_size": 4,
        "max_steps": 2,
        "eval_size": 0.0,
    }


def test_the_estimate_says_how_they_are_called_today(values):
    report = estimate(values)
    assert report["reasons"] == []
    expected = {name.removeprefix("mlp."): new for name, new in TODAY["qwen"].items()}
    assert report["renamed_targets"] == expected


PROMPT = [{"role": "user", "content": "hello"}]


def answer(voices, name):
    settings = {"max_new_tokens": 4, "temperature": 0.0}
    *_, last = voices.answer({name: PROMPT}, **settings)
    return last[name]


def test_a_run_trains_saves_and_is_heard(values, qwen_folder, capfd):
    """The adapter names today's modules, so that PEFT loads it without any of this."""
    path = runs.create(TrainConfig.from_dict(values | {"max_steps": 1}))
    assert train(path) == 0, runs.get(path.name).message.en
    said = capfd.readouterr()
    assert "Target c_proj is called self_attn.o_proj, mlp.down_proj today\n" in said.out
    assert "You are using a model of type" not in said.err
    saved = json.loads((path / "adapter" / "adapter_config.json").read_text())
    assert sorted(saved["target_modules"]) == sorted(m for n in TODAY["qwen"].values() for m in n)
    tokenizer = AutoTokenizer.from_pretrained(path / "adapter")
    assert tokenizer("hello")["input_ids"] == [259]
    voices = Voices.load(str(qwen_folder), [str(path / "adapter")])
    assert answer(voices, "adapter")["checksum"] != answer(voices, "base")["checksum"]


@pytest.mark.parametrize("bits", [{"load_in_8bit": True}, {"load_in_4bit": True}], ids=str)
def test_a_quantised_base_is_trained_and_heard(folder, bits, tmp_path, cpu):
    """The adapter alone is saved, also where config.json calls the vocabulary otherwise."""
    torch.manual_seed(0)
    config = TrainConfig(model_name_or_path=str(folder), lora_r=4, **bits)
    model = build_model(config, cpu).train()
    ids = torch.tensor([ROWS[0]])
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.02)
    losses = []
    for _ in range(3):
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    save(model.eval(), tmp_path / "mine", {})
    state = load_file(tmp_path / "mine" / "adapter_model.safetensors")
    assert all(".lora_" in name for name in state)
    tuned = Tuned(load_base(str(folder), cpu, Quantization(**bits)), cpu, {"x": tmp_path / "mine"})
    with torch.no_grad(), tuned.speaking(["x"]) as spoken:
        found = spoken(input_ids=ids).logits
    torch.testing.assert_close(found, model(input_ids=ids).logits, atol=1e-4, rtol=1e-4)


def test_a_prompt_can_begin_as_a_text(qwen_folder, cpu):
    """Its pieces by the old vocabulary, over and over; the adapter names the base's own folder."""
    options = {"peft_type": "prompt_tuning", "prompt_tuning_init_text": "hello"}
    config = TrainConfig(model_name_or_path=str(qwen_folder), num_virtual_tokens=3, **options)
    model = build_model(config, cpu)
    word = model.get_base_model().get_input_embeddings().weight[259]
    learned = model.get_prompt(batch_size=1)[0]
    assert torch.equal(learned, word.expand(3, -1))
    assert model.active_peft_config.tokenizer_name_or_path == str(qwen_folder)


def test_all_of_it_trained_it_leaves_as_a_native_model(values, qwen_folder, cpu):
    """Its checkpoint and its folder load with Transformers alone, and speak beside the base."""
    path = runs.create(TrainConfig.from_dict(values | {"peft_type": "full", "save_steps": 1}))
    assert train(path) == 0, runs.get(path.name).message.en
    ids = torch.tensor([ROWS[0]])
    with torch.no_grad():
        native = AutoModelForCausalLM.from_pretrained(path / "adapter", dtype=torch.float32).eval()
        expected = native(input_ids=ids).logits
        last = AutoModelForCausalLM.from_pretrained(path / "checkpoint-2", dtype=torch.float32)
        assert torch.equal(last(input_ids=ids).logits, expected)
        base = load_base(str(qwen_folder), cpu, Quantization())
        assert not torch.allclose(base(input_ids=ids).logits, expected, atol=1e-3)
        voices = Voices.load(str(qwen_folder), [str(path / "adapter")])
        with voices.tuned.speaking(["adapter"]) as model:
            assert torch.equal(model(input_ids=ids).logits, expected)


def test_merged_it_is_a_native_model(folder, tmp_path, cpu):
    model = build_model(TrainConfig(model_name_or_path=str(folder), lora_r=4), cpu)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    ids = torch.tensor([ROWS[0]])
    with torch.no_grad():
        expected = model.eval()(input_ids=ids).logits
        assert isinstance(model, PeftModel)
        model.merge_and_unload().save_pretrained(tmp_path)
        merged = AutoModelForCausalLM.from_pretrained(tmp_path)
        torch.testing.assert_close(merged(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)
