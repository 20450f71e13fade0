"""When a run ends before its last step, which checkpoint is its best, and the words for it.

All is read from the Trainer's state, which its checkpoints carry: a resumed run counts on.
"""

from pathlib import Path

from transformers import TrainerCallback, TrainerState

from engine.config import TrainConfig
from engine.errors import Sentence
from engine.training.curves import smooth


class Stopping(TrainerCallback):
    """`early_stopping_patience` and `stop_at_loss`; saves each best model where one is wanted."""

    def __init__(self, config: TrainConfig):
        self._config = config
        self._why: Sentence | None = None

    def on_train_begin(self, args, state, control, **kwargs):
        """A resumed run may lie elsewhere than where its best was saved."""
        best = Path(args.output_dir) / f"checkpoint-{state.best_global_step}"
        if state.best_global_step and best.is_dir():
            state.best_model_checkpoint = str(best)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "loss" in (logs or {}):
            self._decide(control, self._loss_reached(state))

    def on_evaluate(self, args, state, control, **kwargs):
        after_start = [one for one in _line(state, "eval_loss") if one[0] > 0]
        if args.load_best_model_at_end and after_start:
            control.should_save |= min(after_start, key=lambda one: one[1])[0] == state.global_step
        self._decide(control, self._patience_spent(state))

    def _decide(self, control, why: Sentence | None) -> None:
        if why:
            control.should_training_stop = control.should_save = True
            self._why = why

    def ended(self, state: TrainerState) -> bool:
        """Whether a run has stopped by itself already: then it takes no step more, also one that
        was killed, or asked to stop, before it could say so."""
        self._why = self._why or self._patience_spent(state) or self._loss_reached(state)
        return self._why is not None

    def _loss_reached(self, state: TrainerState) -> Sentence | None:
        wanted = self._config.stop_at_loss
        if not wanted:
            return None
        low = [one for one in smooth(_line(state, "loss")) if one[1] <= wanted]
        if not low:
            return None
        step, loss = low[-1]
        return Sentence(
            f"It stopped at step {step} because the smoothed loss reached {loss:.3f}, as wished "
            f"(stop_at_loss {wanted:g}).",
            f"在第 {step} 步停下：平滑后的 loss 降到 {loss:.3f}，"
            f"达到了设定值（stop_at_loss {wanted:g}）。",
        )

    def _patience_spent(self, state: TrainerState) -> Sentence | None:
        patience, line = self._config.early_stopping_patience, _line(state, "eval_loss")
        if not (patience and line):
            return None
        best_step, best = min(line, key=lambda one: one[1])
        since = sum(step > best_step for step, _ in line)
        if since < patience:
            return None
        last = line[-1][0]
        return Sentence(
            f"It stopped at step {last} because the eval loss has not fallen below {best:.3f} "
            f"since step {best_step}, {since} evaluations ago (early_stopping_patience "
            f"{patience}).",
            f"在第 {last} 步停下：自第 {best_step} 步以来评估了 {since} 次，"
            f"验证 loss 都没有低于 {best:.3f}（early_stopping_patience {patience}）。",
        )

    def message(self, state: TrainerState) -> Sentence:
        """Why it ended early and which step's weights are kept; empty when nothing was special."""
        said = [self._why] if self._why else []
        if self._config.load_best_model_at_end and state.best_model_checkpoint:
            step, loss = state.best_global_step, state.best_metric
            said.append(
                Sentence(
                    f"What is kept is the model of step {step}, which had the lowest eval loss, "
                    f"{loss:.3f}.",
                    f"保留的是第 {step} 步的模型，它的验证 loss 最低，为 {loss:.3f}。",
                )
            )
        return Sentence(" ".join(one.en for one in said), "".join(one.zh for one in said))


def _line(state: TrainerState, key: str) -> list[tuple[int, float]]:
    return [(row["step"], row[key]) for row in state.log_history if key in row]
