"""One of several processes that train runs, with DDP or FSDP, on a machine without a GPU; and what
starts them and reads what they wrote.

    accelerate launch ... -m tests.several_on_processors RUN_DIR ...

Each run is trained in its turn, and the first one is looked back at. One given as B=A@STEP is what
would be left of A if it had been killed behind the checkpoint of that step. For one given as
RUN_DIR!NUMBER the last process has no memory for its micro-step of that number, counted from 1, and
for RUN_DIR!NUMBER! for none that follows. Accelerate shares models out on accelerators only, so it
is told that these processors are some.
"""

import contextlib
import faulthandler
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import safetensors.torch
import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.state import PartialState
from accelerate.utils import DistributedType

from engine.config import TrainConfig
from engine.training import averaging, command, progress, ranks
from engine.training import train as training

_PATIENCE_SECONDS = 300  # then all say where they hang
ANSWER_TOKENS = 8  # of the fixed questions: each is a pass in which processes wait for each other
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
_begin = PartialState.__init__


def _as_if_on_gpus(self, *args, **kwargs):
    _begin(self, *args, **kwargs)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU


def left_of(run: Path, step: int, path: Path) -> None:
    later = [one.name for one in run.glob("checkpoint-*") if int(one.name[11:]) > step]
    ends = ("adapter", "learned.json", "report*.md", "curves*.svg")
    shutil.copytree(run, path, ignore=shutil.ignore_patterns(*later, *ends), dirs_exist_ok=True)


@contextlib.contextmanager
def running_out(number: int, for_good: bool) -> Iterator[None]:
    """As that micro-step's backward pass ends, its gradients there already."""
    taken, whole = [], Accelerator.backward

    def backward(self, loss):
        whole(self, loss)
        taken.append(loss)
        if len(taken) == number or (for_good and len(taken) > number):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with mock.patch.object(Accelerator, "backward", backward):
        yield


def _with_other_weights(*args, build_model=training.build_model):
    """As a start by chance may be in another process."""
    model = build_model(*args)
    with torch.no_grad():
        for one in filter(torch.is_floating_point, model.parameters()):
            one.add_(0.01)
    return model


def launched(way: str, *words: str, **variables: str) -> tuple[int, str]:
    """The exit status of two such processes, and what they said."""
    line = command.arguments(Path(), TrainConfig(distributed_type=way), 2)
    line = [sys.executable, *line[: line.index("engine")], "tests.several_on_processors", *words]
    env = os.environ | variables
    done = subprocess.run(line, cwd=command.ROOT, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def curves(path: Path) -> list[float | None]:
    rows = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [row.get(name) for row in rows for name in ("loss", "eval_loss", "grad_norm", "tokens")]


def weights(path: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(next((path / "adapter").glob("*model.safetensors")))


def main(wanted: list[str]) -> int:
    faulthandler.dump_traceback_later(_PATIENCE_SECONDS, exit=True)
    if "ACCELERATE_USE_FSDP" in os.environ:
        PartialState.__init__ = _as_if_on_gpus
    elif not ranks.is_main():
        training.build_model = _with_other_weights
    progress._SAMPLE_TOKENS = ANSWER_TOKENS
    averaging._NUMBERS_AT_ONCE = 10_000  # several messages of a tiny model too
    torch.nn.parallel.DistributedDataParallel.__init__ = None  # it would hold gradients twice
    for one in wanted:
        path, _, of = one.partition("=")
        if of:
            run, _, step = of.rpartition("@")
            if ranks.is_main():
                left_of(Path(run), int(step), Path(path))
            dist.barrier()
        path, _, number = path.partition("!")
        memory = contextlib.nullcontext()
        if number and ranks.local() == ranks.count() - 1:
            memory = running_out(int(number.rstrip("!")), number.endswith("!"))
        with memory:
            status = training.train(Path(path))
        if status:
            return status
        training.look_back = lambda *_: None
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
