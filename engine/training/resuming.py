"""What a run goes on from: its newest checkpoint that can be read, with the data and the options
that it began with."""

import json
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import ExportableState

from engine.config import TrainConfig
from engine.errors import UserError
from engine.models.adapter import read_json as read_adapter_json
from engine.training import checkpoints, ranks
from engine.training.live_files import read_json
from engine.training.loop import PackedTrainer
from engine.training.progress import cut_after

# What PEFT writes down of an adapter that decides its shape, its strength or the base beneath it,
# which some starts change, and our option of it.
_OPTIONS = {
    "r": "lora_r",
    "target_r": "lora_r",
    **dict.fromkeys(("lora_alpha", "alpha"), "lora_alpha"),
    "target_modules": "lora_target_modules",
    **{name: name for name in ("use_rslora", "use_dora", "num_virtual_tokens")},
    "init_lora_weights": "init_lora_weights",
    **{name: name for name in ("encoder_hidden_size", "adapter_len", "adapter_layers")},
    "oft_block_size": "oft_block_size",
}


def keep_facts(path: Path, facts: dict[str, Any]) -> None:
    """Writes dataset.json once. Raises UserError when a resumed run finds other data."""
    file = path / "dataset.json"
    before = read_json(file)
    if not before:
        if file.is_file():
            print(
                "dataset.json cannot be read, so whether the data is the same as at the beginning "
                "is not known; it is written anew.",
                flush=True,
            )
        checkpoints.write_whole(file, json.dumps(facts, ensure_ascii=False, indent=1))
        return
    for field, name, seal in (
        ("dataset", "file", "sha256"),
        ("eval_dataset", "eval_file", "eval_sha256"),
    ):
        if before.get(seal, facts[seal]) != facts[seal]:
            raise _other_data(field, before.get(name, facts[name]), facts[name])
    if before.get("mapping", facts["mapping"]) != facts["mapping"]:
        raise _other_options([("mapping", before["mapping"], facts["mapping"])])


def _other_data(field: str, before: Any, now: str) -> UserError:
    if before != now:
        return UserError(
            f"This run began with {before or 'no file'} as its {field}, and its options now name "
            f"{now or 'none'}; put the old one back into its config.yaml, or clone the run into "
            "the form and start a new one.",
            f"这次训练开始时的 {field} 是 {before or '（无）'}，"
            f"现在的选项里却是 {now or '（无）'}；"
            "请在它的 config.yaml 里改回来，或把这次训练复制到表单，重新开始。",
            field=field,
        )
    return UserError(
        f"{now} has changed since this run began, so it cannot go on; clone the run into the form "
        "and start a new one.",
        f"{now} 在训练开始后被改过，无法继续；请把这次训练复制到表单，重新开始。",
        field=field,
    )


def require_same_options(checkpoint: Path | None, model, config: TrainConfig) -> None:
    """Raises UserError where a checkpoint was made with another adapter than `model` has now."""
    file = checkpoint / "adapter_config.json" if checkpoint else None
    if not (file and file.is_file()):
        return
    before = read_adapter_json(file)
    method = str(before.get("peft_type")).lower()
    if method != config.peft_type:
        changed = [("peft_type", method, config.peft_type)]
    else:
        now = model.peft_config["default"].to_dict()
        changed = [
            (option, before[name], now.get(name))
            for name, option in _OPTIONS.items()
            if name in before and not _same(name, before[name], now.get(name), model)
        ]
    if changed:
        raise _other_options(changed)


def _same(name: str, before: Any, now: Any, model) -> bool:
    """Names of modules are the same when they mean the same: PEFT may have shortened them."""
    if name != "target_modules" or isinstance(before, str) or isinstance(now, str):
        return before == now
    modules = [name for name, _ in model.named_modules()]

    def meant(targets: Any) -> set[str]:
        ends = tuple(f".{one}" for one in targets or ())
        return {name for name in modules if name.endswith(ends)}

    return meant(before) == meant(now)


def _other_options(changed: list[tuple[str, Any, Any]]) -> UserError:
    def written(option: str, value: Any) -> Any:
        """As config.yaml has it: a plain start is PEFT's True."""
        return "default" if option == "init_lora_weights" and value is True else value

    def listed(words: str) -> str:
        return ", ".join(
            option
            if option == "lora_target_modules"
            else words.format(option, written(option, before), written(option, now))
            for option, before, now in changed
        )

    return UserError(
        f"The options of this run have changed since it began: {listed('{} was {} and is {}')}. "
        "Put them back into its config.yaml, or clone the run and start a new one.",
        f"这次训练的选项在开始后被改过：{listed('{} 原为 {}，现为 {}')}。"
        "请在它的 config.yaml 里改回来，或复制这次训练、重新开始。",
        field=changed[0][0],
    )


def continue_from(path: Path, checkpoint: Path | None, trainer: PackedTrainer) -> None:
    """The curve and the counters stand where the checkpoint stood, so that it goes on unbroken.
    Newer checkpoints that cannot be read no longer count; all that is left out is said."""
    step = checkpoints.step_of(checkpoint) if checkpoint else -1
    if ranks.is_main():
        _leave_damaged(path, step)
        for name in ("metrics.jsonl", "samples.jsonl"):
            damaged = cut_after(path / name, step) if (path / name).is_file() else 0
            if damaged:
                print(f"{name}: lines that cannot be read and are left out: {damaged}", flush=True)
    trainer.tokens_seen = checkpoints.facts_of(checkpoint).get("tokens_seen", 0)
    trainer.add_callback(PendingLoss(trainer))
    if checkpoint:
        trainer.args.eval_on_start = False
        print(f"Resuming from step {step}", flush=True)


class PendingLoss(TrainerCallback, ExportableState):
    """The losses that were added up since the last log, kept in each checkpoint's
    trainer_state.json: the Trainer itself begins a new sum where it resumes."""

    def __init__(self, trainer: PackedTrainer):
        self._trainer = trainer

    def state(self) -> dict[str, Any]:
        """The Trainer asks at each save, and once before it has a sum."""
        total = float(getattr(self._trainer, "_tr_loss", 0.0))
        last = getattr(self._trainer, "_globalstep_last_logged", 0)
        return {"args": {}, "attributes": {"total": total, "last_logged": last}}

    def on_train_begin(self, args, state, control, **kwargs):
        kept = state.stateful_callbacks.get(type(self).__name__)
        if state.global_step and kept:  # none in checkpoints of older versions
            self._trainer._tr_loss += kept["attributes"]["total"]
            self._trainer._globalstep_last_logged = kept["attributes"]["last_logged"]


def _leave_damaged(path: Path, step: int) -> None:
    damaged = [one for one in checkpoints.sealed(path) if checkpoints.step_of(one) > step]
    for one in damaged:
        print(f"{one.name} cannot be read: {checkpoints.damaged_file(one)} is damaged", flush=True)
        checkpoints.unseal(one)
    if damaged and step < 0:
        print("No checkpoint can be read: it begins anew", flush=True)
