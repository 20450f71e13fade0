"""The figures of learned.json: exact losses of both voices, answers, bounds, stops and failures."""

import dataclasses
import json

import peft
import pytest
import torch

from engine.config import TrainConfig
from engine.dataset.packing import join
from engine.evaluation import learned
from engine.models.load import Quantization, load_base
from engine.training import runs
from engine.training.data import Prepared, prepare
from engine.training.micro_steps import Layout


@pytest.fixture(scope="module")
def config(tiny_model_folder, small_dataset):
    return TrainConfig(
        dataset=str(small_dataset),
        model_name_or_path=str(tiny_model_folder),
        max_length=64,
        eval_size=0.2,
        per_device_train_batch_size=2,
    )


@pytest.fixture(scope="module")
def prepared(config, tokenizer):
    return prepare(config, tokenizer)


@pytest.fixture(scope="module")
def base(tiny_model_folder, cpu):
    return load_base(str(tiny_model_folder), cpu, Quantization())


@pytest.fixture(scope="module")
def tuned(base, tiny_model_folder, cpu):
    """A tiny model with an adapter that is heard everywhere but in one module."""
    torch.manual_seed(3)
    model = load_base(str(tiny_model_folder), cpu, Quantization())
    lora = peft.LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    model = peft.get_peft_model(model, lora)
    with torch.no_grad():
        model.base_model.model.model.layers[0].mlp.up_proj.lora_B["default"].weight.zero_()
    return model.train()


@pytest.fixture
def path(config):
    path = runs.create(config)
    runs.write_status(path, state="finished", step=8)
    lines = [{"step": 0, "eval_loss": 1.0}, {"step": 4, "eval_loss": 2.00004}, {"step": 4}]
    lines.append({"step": 8, "eval_loss": 3.0})
    (path / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def reader(model):
    """Losses as the trainer reads them, side by side and padded."""
    layout = Layout(0, flat=False, capacity=128, longest=64)

    @torch.no_grad()
    def loss_over(sequences, before_each):
        total = 0.0
        for part in layout.cut(sequences):
            before_each()
            batch = layout.batch(part, torch.device("cpu"))
            loss = model(**batch.inputs, labels=batch.labels, use_cache=False).loss
            total += float(loss) * len(batch.targets)
        return total

    return loss_over


def by_hand(model, rows):
    """The mean over all learned tokens, each row alone, no packing, no padding."""
    total, count = 0.0, 0
    for row in rows:
        ids, labels = torch.tensor(row["input_ids"])[None], torch.tensor(row["labels"])[None]
        learns = labels[0, 1:] != -100
        logits = model(ids).logits[0, :-1][learns]
        total += torch.nn.functional.cross_entropy(logits, ids[0, 1:][learns], reduction="sum")
        count += int(learns.sum())
    return round(total.item() / count, 4), count


@torch.no_grad()
def test_losses_are_those_of_the_rows_one_by_one(base, tuned, tokenizer, config, prepared):
    """Packed, batched and padded, weighted by tokens: the same as by hand, for both voices."""
    card = learned.measure(tuned, tokenizer, config, prepared, reader(tuned), lambda: None)
    rows = prepared.train._rows
    packs = prepared.train._packs
    alone = [rows[number] for pack in packs for number in pack]
    expected, tokens = by_hand(base, alone)
    tuned.eval()
    expected_tuned, _ = by_hand(tuned, alone)
    assert expected != expected_tuned
    assert card["train"] == {
        "rows": 19,
        "tokens": tokens,
        "base": pytest.approx(expected, abs=2e-4),
        "adapter": pytest.approx(expected_tuned, abs=2e-4),
    }
    assert (card["held_out"]["rows"], card["held_out"]["known"]) == (5, 0)
    assert card["general"]["rows"] == 20


def test_rows_that_are_trained_on_too_are_counted(write_rows, tmp_path, config, tokenizer):
    """Of three that are kept back two, one of them twice; packed with others all the same."""
    rows = [{"prompt": f"Say {n}.", "response": f"It is {n}."} for n in range(9)]
    trained = write_rows(tmp_path / "trained.jsonl", rows[:8])
    kept = write_rows(tmp_path / "kept.jsonl", [rows[8], rows[3], rows[3]])
    both = dataclasses.replace(config, dataset=str(trained), eval_dataset=str(kept))
    prepared = prepare(both, tokenizer)
    assert learned._known(list(prepared.evaluation), prepared.train) == 2


def test_answers_and_modules(tuned, tokenizer, config, prepared):
    tuned.eval()
    card = learned.measure(tuned, tokenizer, config, prepared, reader(tuned), lambda: None)
    zero = "base_model.model.model.layers.0.mlp.up_proj"
    assert card["modules"] == {"count": 14, "zero": [zero]}
    assert card["answers"] == {"asked": 5, "changed": 5}


def test_an_adapter_that_does_nothing_changes_nothing(base, tokenizer, config, prepared):
    model = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["q_proj"]))
    card = learned.measure(model.eval(), tokenizer, config, prepared, reader(model), lambda: None)
    model.unload()
    assert card["answers"]["changed"] == 0
    assert [card[k]["base"] - card[k]["adapter"] for k in ("train", "held_out", "general")] == [
        0
    ] * 3
    assert len(card["modules"]["zero"]) == card["modules"]["count"] == 2


def test_without_an_adapter_the_base_is_not_measured(base, tokenizer, config, prepared):
    """Full fine-tuning: its own losses are there, nothing is called the base's."""
    card = learned.measure(base.eval(), tokenizer, config, prepared, reader(base), lambda: None)
    assert (card["train"]["base"], card["general"]["base"]) == (None, None)
    assert (card["answers"], card["modules"]) == (None, None)
    assert card["train"]["adapter"] > 0


def test_the_cost_is_bounded_and_the_choice_is_seeded(monkeypatch):
    monkeypatch.setattr(learned, "TOKENS", 25)
    sequences = [{"input_ids": [number] * 10} for number in range(9)]
    first = [one["input_ids"][0] for one in learned._some(sequences, 1)]
    assert len(first) == 2
    assert first == [one["input_ids"][0] for one in learned._some(sequences, 1)]
    assert first != [one["input_ids"][0] for one in learned._some(sequences, 2)]
    long = [{"input_ids": [0] * 99}] * 3
    assert len(learned._some(long, 1)) == 1
    assert learned._some([], 1) == []


def test_prompts_are_what_stands_before_the_answer():
    """Of each row of a pack; of a plain text its beginning."""
    row = {"input_ids": [1, 2, 3, 4], "labels": [-100, -100, -100, 4]}
    text = {"input_ids": list(range(30)), "labels": list(range(30))}
    silent = {"input_ids": [7, 8], "labels": [-100, -100]}
    prompts = list(learned._prompts(join([row, text, silent, row])))
    assert prompts == [[1, 2, 3], list(range(learned.TEXT_PROMPT)), [1, 2, 3]]


@pytest.mark.parametrize("keeps_best", [False, True])
def test_the_card_is_written_with_the_step_and_the_best_evaluation(
    path, tuned, tokenizer, config, prepared, keeps_best
):
    """The start's eval loss is the base's and no candidate; the model keeps its mode."""
    (path / "checkpoint-4").mkdir()
    (path / "checkpoint-4" / "complete.json").write_text("{}")
    tuned.train()
    wanted = dataclasses.replace(config, load_best_model_at_end=keeps_best)
    learned.look_back(path, tuned, tokenizer, wanted, prepared, reader(tuned))
    assert tuned.training
    card = json.loads((path / "learned.json").read_text())
    assert card.keys() == {
        *("step", "train", "held_out", "general", "answers", "modules", "best", "verdict"),
    }
    assert (card["step"], card["verdict"]) == (8, "learned")
    assert card["best"] == {
        **{
            "first_eval_loss": 1.0,
            "step": 4,
            "eval_loss": 2.0,
            "last_step": 8,
            "last_eval_loss": 3.0,
        },
        "checkpoint": "checkpoint-4",
        "is_adapter": keeps_best,
    }


def test_a_failure_is_written_down_and_harms_nothing(path, tokenizer, config, capfd, tuned):
    broken = Prepared(None, None, {})
    learned.look_back(path, tuned, tokenizer, config, broken, reader(tuned))
    card = json.loads((path / "learned.json").read_text())
    assert card == {"step": 8, "failed": "TypeError: object of type 'NoneType' has no len()"}
    assert "Traceback" in capfd.readouterr().err
    assert runs.get(path.name).state == "finished"


def test_a_stop_ends_it_without_a_card(path, tuned, tokenizer, config, prepared):
    """Also of a run that was stopped, whose stop file is there already: asked again, it ends."""
    (path / "stop").touch()
    counted = []

    def stop_at_second(sequences, before_each):
        for _ in sequences:
            before_each()
            counted.append(1)
            if len(counted) == 2:
                (path / "stop").write_text("again")
        return 1.0

    learned.look_back(path, tuned, tokenizer, config, prepared, stop_at_second)
    assert len(counted) == 2
    assert not (path / "learned.json").exists()
