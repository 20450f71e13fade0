"""Every method, whole: it trains, its voice is what was trained, and it goes on where it stood."""

import shutil

import pytest
import torch

from engine.chat.voices import BASE, Voices
from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.models.load import Quantization
from engine.models.row_lora import read_frozen
from engine.training import runs, train
from engine.training.assemble import build_model
from engine.training.estimate import model_shape
from engine.training.levers import foresee, pull
from engine.training.micro_steps import Layout
from tests import steps_of_voices

pytestmark = pytest.mark.usefixtures("same_signals", "hasty")

STEPS = 8
PROMPT = torch.tensor([[5, 9, 300, 41, 7, 2, 60, 61, 62]])
WITHOUT_PACKING = {"packing": False, "num_virtual_tokens": 6}
# Name of the case: what differs from the plain run.
METHODS = {
    "lora": {},
    "rslora": {"use_rslora": True},
    "dora": {"use_dora": True},
    "gaussian": {"init_lora_weights": "gaussian"},
    "orthogonal": {"init_lora_weights": "orthogonal"},
    "pissa": {"init_lora_weights": "pissa", "learning_rate": 3e-3},
    "pissa_rslora": {
        "init_lora_weights": "pissa_niter_16",
        "use_rslora": True,
        "learning_rate": 3e-3,
    },
    "olora": {"init_lora_weights": "olora", "learning_rate": 3e-3},
    "loraplus": {"loraplus_lr_ratio": 4.0, "learning_rate": 3e-3},
    # Resumed when the ranks are shared out already, from where a fresh AdaLoRA would not know them.
    "adalora": {"peft_type": "adalora", "save_steps": 6},
    "ia3": {"peft_type": "ia3", "learning_rate": 3e-2},
    "loha": {"peft_type": "loha"},
    "lokr": {"peft_type": "lokr"},
    "oft": {"peft_type": "oft", "oft_block_size": 16, "learning_rate": 3e-3},
    "prompt_tuning": {"peft_type": "prompt_tuning", "learning_rate": 0.1} | WITHOUT_PACKING,
    "prompt_tuning_text": {"peft_type": "prompt_tuning", "prompt_tuning_init_text": "Be kind."}
    | {"learning_rate": 0.1}
    | WITHOUT_PACKING,
    "multitask_prompt_tuning": {"peft_type": "multitask_prompt_tuning", "learning_rate": 0.1}
    | WITHOUT_PACKING,
    "p_tuning": {"peft_type": "p_tuning", "encoder_hidden_size": 16} | WITHOUT_PACKING,
    "prefix_tuning": {"peft_type": "prefix_tuning", "learning_rate": 0.1} | WITHOUT_PACKING,
    "adaption_prompt": {"peft_type": "adaption_prompt", "adapter_len": 4, "learning_rate": 0.1},
    "full": {"peft_type": "full", "learning_rate": 3e-3},
}


@pytest.fixture
def options(tiny_model_folder, tiny_llama_folder, small_dataset):
    """The plain run with what a case changes."""

    def make(changes):
        adaption = changes.get("peft_type") == "adaption_prompt"
        plain = {
            "dataset": str(small_dataset),
            "model_name_or_path": str(tiny_llama_folder if adaption else tiny_model_folder),
            "max_length": 64,
            "lora_r": 4,
            "learning_rate": 1e-2,
            "per_device_train_batch_size": 4,
            "max_steps": STEPS,
            "save_steps": STEPS // 2,
            "eval_steps": STEPS,
            "eval_size": 0.2,
            "gradient_accumulation_steps": 2,
        }
        config = TrainConfig.from_dict(plain | changes)
        assert config.problems() == {}
        return config

    return make


@pytest.fixture
def trained(monkeypatch):
    """Trains a run and returns the logits of the model in memory as it was saved."""
    heard = []
    save = train.save

    def listen(model, *rest):
        model.eval()
        with torch.inference_mode():
            heard.append(model(input_ids=PROMPT).logits[0, -PROMPT.shape[1] :])
        save(model, *rest)

    def run(path):
        monkeypatch.setattr(train, "save", listen)
        assert train.train(path) == 0, runs.get(path.name).message.en
        return heard[-1]

    return run


def spoken(voices, name):
    """Logits of the prompt through the chat's own way: five tokens at once, then one by one."""
    tuned = voices.tuned
    heard = tuned.opening(name, PROMPT[:, :5])[0]
    found = []
    with torch.inference_mode():
        for at in range(5, PROMPT.shape[1] + 1):
            with tuned.speaking([name]) as model:
                logits = model(**heard, use_cache=True).logits[0]
            found.append(logits[-5:] if at == 5 else logits)
            heard = {"input_ids": PROMPT[:, at : at + 1]} | {
                "past_key_values": heard["past_key_values"]
            }
    return torch.cat(found)


def each_says_what_it_says_alone(voices):
    """Logits of every step and the tokens, with prompts of different length."""
    prompts = {BASE: [{"role": "user", "content": "What colour is the sea tonight?"}]}
    prompts["mine"] = [{"role": "user", "content": "Hi"}]
    together = steps_of_voices.spoken(voices, prompts)
    for name, turns in prompts.items():
        scores, ids = steps_of_voices.spoken(voices, {name: turns})[name]
        assert together[name][1] == ids
        torch.testing.assert_close(together[name][0], scores, atol=1e-5, rtol=1e-5)


def curve(path, name):
    return {row["step"]: row[name] for row in runs.get(path.name).metrics() if name in row}


@pytest.mark.parametrize("case", METHODS)
def test_a_method_from_start_to_voice(case, options, trained, cpu):
    """Trains with falling loss; chat's voice is what was in memory; the base's voice is the base's;
    resumed from half-way it goes the same way and ends the same."""
    config = options(METHODS[case])
    path = runs.create(config)
    expected = trained(path)
    losses, evaluations = curve(path, "loss"), curve(path, "eval_loss")
    assert evaluations[STEPS] < evaluations[0]

    voices = Voices(config.model_name_or_path, cpu, Quantization())
    base = spoken(voices, BASE)
    voices.use({"mine": path / "adapter"})
    assert voices.names == [BASE, "mine"]
    torch.testing.assert_close(spoken(voices, "mine"), expected, atol=1e-4, rtol=1e-4)
    assert (expected - base).abs().max() > 0.01
    assert torch.equal(spoken(voices, BASE), base)
    *_, answers = voices.answer(
        {name: [{"role": "user", "content": "Hi"}] for name in voices.names}, max_new_tokens=3
    )
    assert answers["mine"]["checksum"] != answers[BASE]["checksum"]
    each_says_what_it_says_alone(voices)
    voices.use({})
    assert torch.equal(spoken(voices, BASE), base)

    shutil.rmtree(path / f"checkpoint-{STEPS}")
    shutil.rmtree(path / "adapter")
    torch.testing.assert_close(trained(path), expected, atol=1e-4, rtol=1e-4)
    assert curve(path, "loss") == pytest.approx(losses, abs=1e-4)
    assert curve(path, "eval_loss") == pytest.approx(evaluations, abs=1e-4)


def test_adalora_of_a_single_step_keeps_all_its_ranks(options, trained):
    """Of which nothing is known by then."""
    path = runs.create(options(METHODS["adalora"] | {"max_steps": 1, "save_steps": 1}))
    trained(path)
    assert (runs.get(path.name).state, [*curve(path, "loss")]) == ("finished", [1])


ROWS = [[5, 9, 300, 41, 7, 2], [8, 100, 77], [6, 60, 61, 62, 63, 64, 65, 2]]


@pytest.mark.parametrize("case", METHODS)
def test_rows_that_are_laid_out_together_learn_as_alone(case, options, cpu):
    """With all that a run pulls, and weights that have learned: the loss and its gradients."""
    config = options(METHODS[case])
    torch.manual_seed(0)
    model = build_model(config, cpu, 4).eval()  # P-tuning's encoder drops some
    weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for one in weights.values():
            one += 0.02 * torch.randn_like(one)
    losses = [
        torch.nn.functional.cross_entropy(
            model(input_ids=torch.tensor([ids])).logits[0, -len(ids) : -1],
            torch.tensor(ids[1:]),
            reduction="sum",
        )
        for ids in ROWS
    ]
    alone = sum(losses) / sum(len(ids) - 1 for ids in ROWS)
    expected = torch.autograd.grad(alone, weights.values(), allow_unused=True)

    pulled = pull(model, config, foresee(config, cpu, model_shape(config).varlen, STEPS))
    assert pulled.varlen == config.packing
    rows = [join([{"input_ids": ids, "labels": [-100, *ids[1:]]}]) for ids in ROWS]
    batch = Layout(0, flat=pulled.varlen, capacity=99, longest=8).batch(rows, torch.device("cpu"))
    logits = model(**batch.inputs).logits[:, -batch.labels.shape[1] : -1]
    together = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), batch.labels[:, 1:].flatten()
    )
    assert together.item() == pytest.approx(alone.item(), abs=1e-5)
    found = torch.autograd.grad(together, weights.values(), allow_unused=True)
    for name, one, other in zip(weights, found, expected, strict=True):
        assert (one is None) == (other is None), name
        if one is not None:
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("method", ["lora", "prompt_tuning", "p_tuning", "prefix_tuning", "full"])
def test_the_log_counts_what_the_estimate_counts(method, options, cpu, capsys):
    """Learned prompts are no part of the base, whose own count leaves them out."""
    config = options({"peft_type": method} | WITHOUT_PACKING)
    expected = model_shape(config).trainable_parameters
    build_model(config, cpu)
    assert f"Trainable: {expected:,} of " in capsys.readouterr().out


QUANTISED = [name for name in METHODS if name not in ("full", "pissa_rslora", "loraplus", "rslora")]


@pytest.mark.parametrize("bits", ["load_in_4bit", "load_in_8bit"])
@pytest.mark.parametrize("case", QUANTISED)
def test_a_method_on_a_quantised_base(
    case, bits, tiny_model_folder, tiny_llama_folder, tmp_path, cpu
):
    """It is refused before the start, or learns and is heard on that base as it was in memory."""
    folder = tiny_llama_folder if case == "adaption_prompt" else tiny_model_folder
    config = TrainConfig.from_dict(
        METHODS[case] | {"model_name_or_path": str(folder), "lora_r": 4, bits: True}
    )
    if config.problems():
        assert set(config.problems()) <= {"peft_type", "init_lora_weights", "use_dora"}
        return
    torch.manual_seed(0)
    model = build_model(config, cpu, 4).train()
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=config.learning_rate
    )
    losses = []
    for _ in range(4):
        loss = model(input_ids=PROMPT, labels=PROMPT).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    model.eval()
    if config.load_in_8bit:
        read_frozen(model)  # as the chat does: bitsandbytes' own product rounds otherwise
    with torch.inference_mode():
        expected = model(input_ids=PROMPT).logits[0, -1]
    train.save(model, tmp_path / "mine", {})
    quantization = Quantization(load_in_4bit=config.load_in_4bit, load_in_8bit=config.load_in_8bit)
    voices = Voices(str(folder), cpu, quantization)
    voices.use({"mine": tmp_path / "mine"})
    with torch.inference_mode(), voices.tuned.speaking(["mine"]) as speaker:
        heard = speaker(**voices.tuned.opening("mine", PROMPT)[0]).logits[0, -1]
    torch.testing.assert_close(heard, expected, atol=1e-4, rtol=1e-4)
    each_says_what_it_says_alone(voices)
