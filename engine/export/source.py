"""What leaves: the adapter of a run or a folder, with the base and the run behind it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.models.adapter import method_of, read_card, require_base
from engine.places import on_disk
from engine.training import runs
from engine.training.runs import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Source:
    """An adapter that can leave. `run` is None for one that was made elsewhere."""

    name: str
    folder: Path
    base: str  # as in `model_name_or_path`
    method: str  # as in `peft_type`, "full" for a whole model
    card: dict[str, Any]  # its greenroom.json
    run: Run | None

    @property
    def system_prompt(self) -> str:
        return self.card.get("system_prompt", "").strip()


def of_run(run_id: str) -> Source:
    """Raises UserError for a run that is not there or has no adapter yet."""
    run = runs.get(run_id)
    return _source(run.require_adapter(), run)


def find(adapter: str) -> Source:
    """The id of a run, a run's folder, or an adapter's folder. Raises UserError."""
    path = on_disk(adapter)
    if not (path and path.is_dir()):
        return of_run(adapter)
    path = path.resolve()
    folder = path / "adapter" if (path / "adapter").is_dir() else path
    of_a_run = (folder.parent / "config.yaml").is_file() and folder.name == "adapter"
    return _source(folder, runs.view(folder.parent) if of_a_run else None)


def _source(folder: Path, run: Run | None) -> Source:
    name = run.name if run else folder.name
    base = require_base(folder, name)
    return Source(name, folder, base, method_of(folder), read_card(folder), run)


def tokenizer_of(source: Source) -> "PreTrainedTokenizerBase":
    """The one that travels with the adapter, with its chat template; the base's where none does.
    Raises UserError."""
    from transformers import AutoTokenizer

    from engine.models.load import load_tokenizer

    if (source.folder / "tokenizer_config.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(source.folder, trust_remote_code=False)
        if tokenizer.chat_template:
            return tokenizer
    return load_tokenizer(source.base)[0]
