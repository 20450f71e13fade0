"""One of several processes that train runs with FSDP on a machine without a GPU.

    accelerate launch ... -m tests.shared_on_processors RUN_DIR ... [RUN_DIR=RUN_DIR@STEP ...]

Each run is trained in its turn, and the first one is looked back at. One given as B=A@STEP is what
would be left of A if it had been killed behind the checkpoint of that step. Accelerate shares
models out on accelerators only, so it is told that these processors are some.
"""

import faulthandler
import shutil
import sys
from pathlib import Path

import torch.distributed as dist
from accelerate.state import PartialState
from accelerate.utils import DistributedType

from engine.training import progress, ranks
from engine.training import train as training

_PATIENCE_SECONDS = 300  # then all say where they hang
ANSWER_TOKENS = 8  # of the fixed questions: each is a pass in which processes wait for each other
_begin = PartialState.__init__


def _as_if_on_gpus(self, *args, **kwargs):
    _begin(self, *args, **kwargs)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU


def left_of(run: Path, step: int, path: Path) -> None:
    later = [one.name for one in run.glob("checkpoint-*") if int(one.name[11:]) > step]
    ends = ("adapter", "learned.json", "report*.md", "curves*.svg")
    shutil.copytree(run, path, ignore=shutil.ignore_patterns(*later, *ends), dirs_exist_ok=True)


def main(wanted: list[str]) -> int:
    faulthandler.dump_traceback_later(_PATIENCE_SECONDS, exit=True)
    PartialState.__init__ = _as_if_on_gpus
    progress._SAMPLE_TOKENS = ANSWER_TOKENS
    for one in wanted:
        path, _, of = one.partition("=")
        if of:
            run, _, step = of.rpartition("@")
            if ranks.is_main():
                left_of(Path(run), int(step), Path(path))
            dist.barrier()
        if training.train(Path(path)):
            return 1
        training.look_back = lambda *_: None
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
