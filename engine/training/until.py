"""When a session of a run has to end at a certain moment: behind a step, with its checkpoint."""

import time

from transformers import TrainerCallback


class TimeIsUp(Exception):
    """Ends Trainer.train() where it is: nothing of what belongs to a run's end happens."""


class Until(TrainerCallback):
    """Has a checkpoint saved by the first step that ends after `ends_at` (of time.monotonic()), and
    raises TimeIsUp when that is sealed: so it must stand behind what seals it. The last step, and
    one at which the run stops anyway, end the run as ever."""

    def __init__(self, ends_at: float):
        self.ends_at = ends_at
        self._is_up = False

    def on_step_end(self, args, state, control, **kwargs):
        if not control.should_training_stop and time.monotonic() >= self.ends_at:
            control.should_save = self._is_up = True

    def on_save(self, args, state, control, **kwargs):
        # An evaluation between the two may have decided to stop.
        if self._is_up and not control.should_training_stop:
            raise TimeIsUp(f"The slot ends at step {state.global_step}; the next one goes on there")
