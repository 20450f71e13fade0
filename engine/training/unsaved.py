"""What PEFT's checkpoints lack for two methods, so that these too go on where they stood.

P-tuning saves the tokens that its encoder made and not the encoder. AdaLoRA saves the ranks that
are left, in shapes that a fresh adapter has no room for, and not how important they were.
"""

from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import TrainerCallback

_FILE = "training_state.safetensors"
_IMPORTANCE = ("ipt", "exp_avg_ipt", "exp_avg_unc")


class Unsaved(TrainerCallback):
    """Writes it beside each checkpoint and reads it back; and lets AdaLoRA share out its ranks."""

    def __init__(self, path: Path):
        self._path = path
        self._kept_ranks: dict[str, list[bool]] | None = None  # None before the first cut

    def on_train_begin(self, args, state, control, model=None, **kwargs):
        self._restore(model, state.global_step)

    def on_optimizer_step(self, args, state, control, model=None, **kwargs):
        # Of a single step nothing is known by which ranks could be shared out; PEFT would fail.
        if _method(model) != "ADALORA" or state.max_steps < 2:
            return
        # While a rank pattern stands in the configuration, PEFT saves cut shapes, which a resumed
        # run cannot load. What is cut counts nothing (its lora_E is 0), so all may be saved.
        config = model.active_peft_config
        config.rank_pattern = self._kept_ranks
        model.base_model.update_and_allocate(state.global_step + 1)
        self._kept_ranks, config.rank_pattern = config.rank_pattern, None

    def on_save(self, args, state, control, model=None, **kwargs):
        tensors = {}
        if _method(model) == "P_TUNING":
            tensors = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
        elif _method(model) == "ADALORA":
            allocator = model.base_model.rankallocator
            for kind in _IMPORTANCE:
                tensors |= {f"{kind}:{n}": t for n, t in getattr(allocator, kind).items()}
            kept = self._kept_ranks or {}
            tensors |= {f"kept:{n}": torch.tensor(ranks) for n, ranks in kept.items()}
        if tensors and state.is_world_process_zero:
            copies = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
            save_file(copies, self._path / f"checkpoint-{state.global_step}" / _FILE)

    def on_train_end(self, args, state, control, model=None, **kwargs):
        """The Trainer has put the best checkpoint's weights back, if it was asked to."""
        if args.load_best_model_at_end and state.best_model_checkpoint:
            self._restore(model, int(Path(state.best_model_checkpoint).name.split("-")[1]))

    def _restore(self, model, step: int) -> None:
        file = self._path / f"checkpoint-{step}" / _FILE
        if not file.is_file():
            return
        tensors = load_file(file)
        if _method(model) == "P_TUNING":
            parameters = dict(model.named_parameters())
            with torch.no_grad():
                for name, tensor in tensors.items():
                    parameters[name].copy_(tensor)
            return
        allocator = model.base_model.rankallocator
        kept = {}
        for name, tensor in tensors.items():
            kind, parameter = name.split(":", 1)
            if kind == "kept":
                kept[parameter] = tensor.tolist()
            else:
                getattr(allocator, kind)[parameter] = tensor.to(model.device)
        self._kept_ranks = kept or None


def _method(model) -> str:
    return model.active_peft_config.peft_type.value if isinstance(model, PeftModel) else ""
