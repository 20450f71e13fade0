"""Before the start: every refusal has its sentence, and the steps foretold are the steps done."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from transformers import Gemma3nTextConfig, MambaConfig

from engine.config import TrainConfig
from engine.hardware import DeviceMemory
from engine.training.activations import of_the_loss
from engine.training.data import prepare
from engine.training.estimate import estimate
from engine.training.levers import Levers
from engine.training.memory import predict
from engine.training.shape import Shape


@pytest.fixture
def values(small_dataset, tiny_model_folder):
    return {"dataset": str(small_dataset), "model_name_or_path": str(tiny_model_folder)}


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"learning_rat": 1}, "learning_rat", "Did you mean learning_rate?"),
        ({"lora_r": "many"}, "lora_r", "it must be a whole number"),
        ({"learning_rate": -1}, "learning_rate", "must lie between 1e-08 and 1"),
        ({"dataset": ""}, "dataset", "No dataset is chosen"),
        ({"dataset": "nowhere"}, "dataset", "There is no dataset 'nowhere'"),
        ({"model_name_or_path": "no such model"}, "model_name_or_path", "is neither sprout"),
        (
            {"lora_target_modules": "qux"},
            "lora_target_modules",
            "No linear layer of this model",
        ),
        ({"max_length": 8}, "max_length", "No row has anything to learn within 8 tokens"),
        ({"load_in_4bit": True, "load_in_8bit": True}, "load_in_8bit", "4-bit and 8-bit at once"),
        ({"optim": "paged_adamw_8bit"}, "optim", "needs a GPU"),
        ({"dtype": "float16"}, "dtype", "float16 trains on GPUs only"),
        ({"speaker": "Bob"}, "speaker", "is no script, so there are no lines of 'Bob' to learn"),
    ],
)
def test_each_refusal_names_its_field_and_why(values, changes, field, sentence, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    reasons = estimate(values | {"system_prompt": "Be kind."} | changes)["reasons"]
    assert [reason["field"] for reason in reasons] == [field]
    assert sentence in reasons[0]["en"]
    assert reasons[0].keys() == {"field", "en", "zh"}
    assert reasons[0]["zh"]


@pytest.mark.parametrize(
    "field",
    [
        *("dataset", "eval_dataset", "model_name_or_path", "lora_target_modules", "gpu_ids"),
        *("mapping", "speaker", "lora_r", "optim", "x" * 5000),
    ],
)
def test_no_sentence_repeats_a_page_of_what_was_written(values, field):
    """Nor does it become a traceback: it may be no path, and more digits than int() takes."""
    for written in ("9" * 5000, "把灯塔守护人的整段台词贴到了别处" * 300):
        reasons = estimate(values | {field: written})["reasons"]
        assert [reason["field"] for reason in reasons] == [field]
        assert max(len(reasons[0]["en"]), len(reasons[0]["zh"])) < 500


@pytest.mark.parametrize(
    ("steps", "warm_up", "taken"),
    [(4, 100, 100), (4, 4, 4), (4, 3.6, 4), (4, 0.9, 4), (1, 1, 1), (2000, 100_000, 100_000)],
)
def test_a_warm_up_as_long_as_the_run_is_refused(values, steps, warm_up, taken):
    """In steps or as a share, as the run would round it; the number that is named works."""
    asked = values | {"max_steps": steps}
    assert estimate(asked | {"warmup_steps": warm_up})["reasons"] == [
        {
            "field": "warmup_steps",
            "en": f"The warm-up takes {taken:,} steps and the whole run has {steps:,}, so the "
            f"learning rate would never be reached; write at most {steps - 1:,}, or a share such "
            "as 0.03.",
            "zh": f"预热需要 {taken:,} 步，而全程只有 {steps:,} 步，永远达不到所选的学习率；"
            f"请填不超过 {steps - 1:,} 的数，或 0.03 这样的比例。",
        }
    ]
    for works in (steps - 1, 0.03):
        assert estimate(asked | {"warmup_steps": works})["reasons"] == []


def test_a_schedule_without_a_warm_up_is_not_asked_for_a_shorter_one(values):
    asked = values | {"max_steps": 4, "warmup_steps": 100}
    assert estimate(asked | {"lr_scheduler_type": "constant"})["reasons"] == []
    reasons = estimate(asked | {"lr_scheduler_type": "constant_with_warmup"})["reasons"]
    assert [reason["field"] for reason in reasons] == ["warmup_steps"]


@pytest.mark.parametrize("rows", [1, 2, 5, 12])
def test_the_shortest_default_run_goes(values, write_rows, tmp_path, rows):
    """Its warm-up is a share, and rounds to no step."""
    made = [{"prompt": f"Say {n}.", "response": f"It is {n}."} for n in range(rows)]
    file = write_rows(tmp_path / "rows.jsonl", made)
    for epochs in (3, 0.01):
        report = estimate(values | {"dataset": str(file), "num_train_epochs": epochs})
        assert report["reasons"] == []
    assert report["steps"] == 1


PATIENT, BEST = {"early_stopping_patience": 2}, {"load_best_model_at_end": True}
SOON = {"stop_at_loss": 0.5}


@pytest.mark.parametrize(
    ("rows", "changes", "field", "sentence"),
    [
        (5, PATIENT, "early_stopping_patience", "5 rows are too few for a share of 0.1 (files of"),
        (5, BEST, "load_best_model_at_end", "Set eval_size to 1, which keeps one row"),
        (24, BEST | {"eval_size": 0.001}, "load_best_model_at_end", "a share of 0.001"),
        (1, BEST, "load_best_model_at_end", "there is one row, and it is trained on"),
        (24, BEST | {"eval_steps": 31}, "eval_steps", "at most 30, or 0"),
        (24, PATIENT | {"eval_steps": 16}, "early_stopping_patience", "write at most 1, or"),
        (
            24,
            SOON | {"logging_steps": 30},
            "logging_steps",
            "Write at most 29, or set stop_at_loss",
        ),
    ],
)
def test_what_could_never_be_judged_is_refused(
    values, write_rows, tmp_path, rows, changes, field, sentence
):
    """Without rows that are kept back, or evaluations, those options would be silent."""
    made = [{"prompt": f"Say {n}.", "response": f"It is {n}."} for n in range(rows)]
    file = write_rows(tmp_path / "rows.jsonl", made)
    reasons = estimate(values | {"dataset": str(file), "max_steps": 30} | changes)["reasons"]
    assert [reason["field"] for reason in reasons] == [field]
    assert sentence in reasons[0]["en"]
    assert reasons[0]["zh"]


@pytest.mark.parametrize(
    "changes",
    [
        BEST | {"eval_steps": 30},
        PATIENT | {"eval_steps": 15},
        {"early_stopping_patience": 7},
        {"eval_steps": 1000},
        SOON | {"logging_steps": 29},
        SOON | {"logging_steps": 1, "max_steps": 1},
        {"logging_steps": 1000},
    ],
)
def test_what_can_just_be_judged_goes(values, changes):
    assert estimate(values | {"max_steps": 30} | changes)["reasons"] == []


def test_the_nearest_share_that_keeps_a_row_does(values, write_rows, tmp_path):
    made = [{"prompt": f"Say {n}.", "response": f"It is {n}."} for n in range(2)]
    file = write_rows(tmp_path / "rows.jsonl", made)
    report = estimate(values | {"dataset": str(file), "eval_size": 1, "max_steps": 30} | PATIENT)
    assert (report["reasons"], report["eval_rows"]) == ([], 1)


def test_a_validation_file_that_is_the_training_file_is_refused(values, tmp_path):
    """Also under another name: its content counts."""
    copy = tmp_path / "other.jsonl"
    copy.write_bytes(Path(values["dataset"]).read_bytes())
    for same in (values["dataset"], str(copy)):
        reasons = estimate(values | {"eval_dataset": same})["reasons"]
        assert [reason["field"] for reason in reasons] == ["eval_dataset"]
        assert "the very rows that are trained on" in reasons[0]["en"]


def test_a_validation_file_without_anything_to_learn_cannot_judge(values, write_rows, tmp_path):
    row = {"prompt": "Hi " * 300, "response": "Hi"}
    file = write_rows(tmp_path / "long.jsonl", [row])
    reasons = estimate(values | BEST | {"eval_dataset": str(file), "max_length": 128})["reasons"]
    assert [reason["field"] for reason in reasons] == ["load_best_model_at_end"]
    assert (
        'there is nothing to learn within 128 tokens. Raise "Longest row, tokens" (max_length), '
    ) in reasons[0]["en"]
    assert "请调大“最长一条（token）”（max_length）、" in reasons[0]["zh"]


def test_every_option_out_of_range_is_named_at_once(values):
    reasons = estimate(values | {"lora_r": 0, "max_length": 1})["reasons"]
    assert [reason["field"] for reason in reasons] == ["max_length", "lora_r"]


def test_too_large_says_how_much_and_how_much_is_free(values, monkeypatch):
    memory = DeviceMemory("RAM", False, 0.1, 0.1, 0.2, 0.4)
    monkeypatch.setattr("engine.devices.memory_now", lambda: [memory])
    report = estimate(values)
    assert report["fits"] is False
    assert [reason["field"] for reason in report["reasons"]] == ["per_device_train_batch_size"]
    assert (
        f"about {report['peak_gib']:.1f} GiB and 0.2 GiB are free on RAM"
        in (report["reasons"][0]["en"])
    )


@pytest.mark.parametrize(
    ("changes", "base"),
    [({}, "4-bit"), ({"load_in_4bit": True}, "smaller"), ({"peft_type": "full"}, "smaller")],
)
def test_too_large_names_a_base_that_can_be_had(values, monkeypatch, changes, base):
    memory = DeviceMemory("RAM", False, 0.1, 0.1, 0.2, 0.4)
    monkeypatch.setattr("engine.devices.memory_now", lambda: [memory])
    said = estimate(values | changes)["reasons"][0]
    assert said["en"].endswith(f"a shorter longest row, or a {base} base.")
    assert said["zh"].endswith({"4-bit": "或使用 4 比特底座。"}.get(base, "或使用更小的底座。"))


def test_the_report_has_the_keys_of_the_contract(values):
    report = estimate(values)
    assert report.keys() >= {"peak_gib", "parts", "fits", "ladder", "reasons"}
    assert report["reasons"] == []
    assert report["peak_gib"] == pytest.approx(sum(report["parts"].values()))
    assert report["parts"].keys() == {
        *("weights", "adapter", "gradients", "optimizer", "activations", "loss_head"),
        *("workspace", "runtime"),
    }
    assert all(rung["peak_gib"] < report["peak_gib"] for rung in report["ladder"])
    assert report["target_modules"] == [
        *("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"num_train_epochs": 2, "packing": False},
        {"num_train_epochs": 1.5, "max_length": 64, "gradient_accumulation_steps": 2},
        {"max_steps": 3},
    ],
)
def test_the_steps_foretold_are_the_steps_trained(values, changes, tmp_path, tokenizer, cpu):
    from transformers import AutoModelForCausalLM

    from engine.training.arguments import arguments
    from engine.training.loop import PackedTrainer
    from engine.training.micro_steps import Layout

    foretold = estimate(values | changes)
    config = TrainConfig.from_dict(values | changes)
    prepared = prepare(config, tokenizer)
    trainer = PackedTrainer(
        model=AutoModelForCausalLM.from_pretrained(config.model_name_or_path),
        args=arguments(config, tmp_path, cpu, foretold["steps"], evaluates=False),
        layout=Layout(
            tokenizer.pad_token_id,
            flat=False,
            capacity=foretold["micro_step_tokens"],
            longest=prepared.train.longest_row,
        ),
        has_loss_head=False,
        train_dataset=prepared.train,
    )
    trainer.args.save_strategy = "no"
    trainer.train()
    assert trainer.state.global_step == foretold["steps"]
    if "num_train_epochs" in changes:
        assert trainer.state.epoch == pytest.approx(changes["num_train_epochs"], abs=0.2)
    assert foretold["train_rows"] == prepared.facts["train_rows"]


def test_trainable_parameters_are_counted_exactly(values):
    """r x (in + out) of the seven linear layers of each of the two layers."""
    widths = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
    expected = 2 * sum(4 * (a + b) for a, b in widths)
    assert estimate(values | {"lora_r": 4})["trainable_parameters"] == expected


ALL, NONE = Levers(True, True, True, True), Levers(False, False, False, False)


def shape(linear, other, trainable, layers=1, hidden=1, between=1, heads=1, vocabulary=1):
    sizes = (layers, hidden, between, heads, heads, vocabulary)
    return Shape(linear, other, trainable, *sizes, varlen=True, linear_names=())


def foreseen(config, of, tokens=8, levers=NONE):
    return predict(config, of, levers, "bfloat16", "cuda", tokens)


@pytest.mark.parametrize("levers", [ALL, NONE])
def test_what_is_smaller_is_foretold_to_be_smaller(levers):
    model = shape(10**9, 10**8, 10**7, 24, 1024, 4096, 1024, 32000)

    def peak(tokens=2048, **changes):
        return sum(foreseen(TrainConfig(**changes), model, tokens, levers).values())

    assert peak(load_in_4bit=True) < peak(load_in_8bit=True) < peak()
    some = peak(gradient_checkpointing=True, gradient_checkpointing_layers=12)
    assert peak(gradient_checkpointing=True) < some < peak()
    assert peak(tokens=512) < peak()
    assert peak(optim="paged_adamw_8bit") < peak(optim="adafactor") < peak()


def test_weights_exactly():
    """A thousand million weights in bfloat16 are 2e9 bytes; an adapter's are float32."""
    parts = foreseen(TrainConfig(), shape(10**9, 0, 10**6))
    assert parts["weights"] == pytest.approx(2e9 / 2**30)
    assert (parts["adapter"], parts["gradients"]) == (4e6 / 2**30, 4e6 / 2**30)
    assert parts["optimizer"] == 8e6 / 2**30


@pytest.mark.parametrize(
    ("method", "weights", "adapter", "gradients", "optimizer"),
    [
        # A half of the ten layers, two of them whole, and all that lies outside of them.
        ("lora", 1e9 * 2 * (1 / 2 + 2 / 10) + 1e8 * 2, 4e6, 4e6, 8e6),
        # Float32 in halves; gathered in 16 bit, and averaged in float32 beside that.
        ("full", 1.1e9 * 4 / 2 + 3e8 * 2, 0, 1.1e9 * 4 / 2 + 3e8 * 6, 1.1e9 * 8 / 2),
    ],
)
def test_what_two_gpus_hold_of_a_shared_model_exactly(
    method, weights, adapter, gradients, optimizer
):
    trained = 10**6 if method == "lora" else 11 * 10**8
    model = shape(10**9, 10**8, trained, layers=10)
    config = TrainConfig(distributed_type="fsdp", peft_type=method)
    parts = predict(config, model, NONE, "bfloat16", "cuda", 8, processes=2)
    expected = {"weights": weights, "adapter": adapter}
    expected |= {"gradients": gradients, "optimizer": optimizer}
    assert {name: parts[name] * 2**30 for name in expected} == pytest.approx(expected)
    alone = predict(config, model, NONE, "bfloat16", "cuda", 8)
    assert alone == foreseen(TrainConfig(peft_type=method), model)
    assert parts["activations"] == alone["activations"]


def test_full_fine_tuning_exactly():
    """Weights, gradients and AdamW's two states in float32: 16 bytes a weight; computed with in
    bfloat16, of which the linear layers have a copy for the step. No adapter beside them."""
    model = shape(9 * 10**8, 10**8, 10**9)
    parts = foreseen(TrainConfig(peft_type="full"), model)
    assert parts["weights"] == pytest.approx((4e9 + 2 * 9e8) / 2**30)
    assert (parts["adapter"], parts["gradients"]) == (0.0, 4e9 / 2**30)
    assert parts["optimizer"] == 8e9 / 2**30
    half = foreseen(TrainConfig(peft_type="full", dtype="bfloat16"), model)
    assert half["weights"] == pytest.approx(2e9 / 2**30)
    assert (half["gradients"], half["optimizer"]) == (2e9 / 2**30, 4e9 / 2**30)
    small = TrainConfig(peft_type="full", dtype="bfloat16", optim="adamw_8bit")
    assert foreseen(small, model)["optimizer"] == 2e9 / 2**30


def test_activations_exactly():
    """Ten tokens of a model of two layers, 16 bit: what compiled layers keep, by hand.

    A layer: 4 of the hidden size, 2 of the queries, 2 of keys and values, 3 of the gate; in the
    backward pass 2 of the gate and one hidden more.
    """
    model = shape(0, 0, 0, layers=2, hidden=100, between=400, heads=60)
    layer = (4 * 100 + 4 * 60 + 3 * 400) * 2
    found = foreseen(TrainConfig(), model, tokens=10, levers=ALL)["activations"]
    assert found == 10 * (2 * layer + (2 * 400 + 100) * 2) / 2**30
    again = TrainConfig(gradient_checkpointing=True)
    found = foreseen(again, model, tokens=10, levers=ALL)["activations"]
    assert found == 10 * (2 * 100 + 2 * 400 + 100 + 3 * 400) * 2 / 2**30
    one = TrainConfig(gradient_checkpointing=True, gradient_checkpointing_layers=1)
    found = foreseen(one, model, tokens=10, levers=ALL)["activations"]
    assert found == 10 * (100 * 2 + layer + (2 * 400 + 100) * 2) / 2**30


def test_what_levers_that_are_off_keep_besides():
    """The same model with 30 for its keys: not compiled 2 hidden and a gate more; with a mask the
    keys and values of all queries; PEFT's own layers another gate, and a byte of each of the seven
    inputs with dropout."""
    model = Shape(0, 0, 0, 1, 100, 400, 60, 30, 1, varlen=True, linear_names=())

    def layer(dropout=0.0, **off):
        levers = dataclasses.replace(ALL, compiled=False, **off)
        found = foreseen(TrainConfig(lora_dropout=dropout), model, tokens=10, levers=levers)
        return found["activations"] * 2**30 / 10 - (2 * 400 + 100) * 2

    plain = (6 * 100 + 2 * 60 + 2 * 30 + 4 * 400) * 2
    assert layer() == pytest.approx(plain)
    assert layer(varlen=False) == pytest.approx(plain + 2 * 30 * 2)
    assert layer(fused_lora=False) == pytest.approx(plain + 400 * 2)
    assert layer(0.1, fused_lora=False) == pytest.approx(plain + 400 * 2 + 6 * 100 + 400)


@pytest.mark.parametrize(("compiled", "width", "logit"), [
    (True, 2, 2 + 2), (False, 2, 2 + 4 + 4), (False, 4, 4 + 4),
])  # fmt: skip
def test_a_tile_of_logits_exactly(compiled, width, logit):
    """Of 2,000 tokens 1,024 at a time; compiled with its gradients in its own precision, else in
    float32 and its exponentials."""
    model = shape(0, 0, 0, hidden=100, vocabulary=6400)
    levers = dataclasses.replace(ALL, compiled=compiled)
    found = of_the_loss(model, levers, width, tokens=2000)
    assert found == 2 * 2000 * 100 * width + 1024 * 6400 * logit


@pytest.mark.parametrize("method", ["prompt_tuning", "adalora", "full"])
def test_other_methods_are_foretold_too(values, method):
    """Full fine-tuning offers no quantised base as a way to save memory."""
    report = estimate(values | {"peft_type": method, "packing": False})
    assert report["reasons"] == []
    assert 0 < report["trainable_parameters"] <= report["total_parameters"]
    assert (report["trainable_parameters"] == report["total_parameters"]) is (method == "full")
    offered = {rung["change"]["en"] for rung in report["ladder"]}
    assert method != "full" or not any("bit base" in one for one in offered)


@pytest.mark.parametrize(
    "config",
    [
        MambaConfig(vocab_size=320, hidden_size=32, num_hidden_layers=2),
        Gemma3nTextConfig(vocab_size=320, hidden_size=32, num_hidden_layers=10),
    ],
    ids=["without a head", "widths by layer"],
)
def test_a_model_of_another_build_is_foretold(values, tiny_model_folder, tmp_path, config):
    folder = shutil.copytree(tiny_model_folder, tmp_path / "base")
    config.save_pretrained(folder)
    report = estimate(values | {"model_name_or_path": str(folder)})
    assert [reason["field"] for reason in report["reasons"]] == []
    assert report["peak_gib"] > 0.62
    assert report["parts"]["activations"] > 0


def test_several_gpus_share_steps(values, monkeypatch):
    """Four GPUs: a quarter of the steps, the same memory on each; with FSDP less."""
    gpu = DeviceMemory("GPU", True, 0.0, 0.0, 80.0, 80.0)
    monkeypatch.setattr("engine.devices.gpu_count", lambda: 4)
    monkeypatch.setattr("engine.devices.memory_now", lambda: [gpu] * 4)
    short = values | {"per_device_train_batch_size": 1, "packing": False, "num_train_epochs": 2}
    one, four = estimate(short), estimate(short | {"gpu_ids": "all"})
    assert (one["steps"], four["steps"]) == (44, 12)
    assert four["effective_batch_rows"] == 4 * one["effective_batch_rows"]
    assert four["parts"] == one["parts"]
    shared = estimate(short | {"gpu_ids": "all", "distributed_type": "fsdp"})
    assert (shared["steps"], shared["reasons"]) == (12, [])
    # Of the tiny model's two layers both are gathered, so all that is left are shares beside them.
    assert shared["parts"]["optimizer"] == four["parts"]["optimizer"]
    assert shared["parts"]["weights"] > four["parts"]["weights"]
