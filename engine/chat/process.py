"""The chat process: holds one base with its adapters until it is ended. `python -m` this.

On ZeroGPU a lent worker makes the same calls, with a `stopping` of its own (engine.chat.lent).
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.child import serve, stopping
from engine.errors import Sentence, UserError
from engine.imports import importing

if TYPE_CHECKING:
    from engine.chat.voices import Voices

_voices = None
_folders: dict[str, Path] = {}
_watching = False

Stopping = Callable[[], bool]


def fetched(model_name_or_path: str, stopping: Stopping) -> Iterator[dict[str, Any]]:
    """While the base has to be fetched, yields {"doing": how far it is, in words}. Raises
    UserError, also when it is stopped."""
    from engine.models.sources.fetch import fetch, said

    for progress in fetch(model_name_or_path, stopping):
        yield {"doing": said(progress)._asdict()}
        if stopping():
            raise UserError(
                "The download of the model was stopped. What has arrived is kept; ask again to go "
                "on from there.",
                "模型下载已停止。已下载的部分会保留，再次提问会接着下载。",
            )


def load(
    model_name_or_path: str,
    adapters: dict[str, str],
    load_in_4bit: bool,
    load_in_8bit: bool,
    stopping: Stopping = stopping,
) -> Iterator[dict[str, Any]]:
    """The base is loaded anew only when another one, or another precision, is asked for; before
    that it is fetched. Yields {"doing": {en, zh}} before and within each step that takes time, then
    what is loaded: before an error of an adapter's the base alone."""
    global _voices, _folders
    yield _doing("Starting the chat process", "正在启动对话进程")
    with importing():
        from engine.chat.voices import Voices
        from engine.hardware import pick_device
        from engine.models.load import Quantization

    yield from fetched(model_name_or_path, stopping)
    quantization = Quantization(load_in_4bit, load_in_8bit)
    same = _voices and (_voices.model_name, _voices.quantization) == (
        model_name_or_path,
        quantization,
    )
    if not same:
        name = Path(model_name_or_path).name
        yield _doing(f"Reading the weights of {name}", f"正在读取 {name} 的权重")
        if _voices:
            _voices.settle()
        _voices = None  # gives the old base's memory back before the new one comes
        _voices = Voices(model_name_or_path, pick_device(), quantization)
    if adapters:
        yield _doing(
            f"Putting {len(adapters)} adapter{'s'[: len(adapters) > 1]} on",
            f"正在装上 {len(adapters)} 个适配器",
        )
    _folders, folders = {}, {name: Path(folder) for name, folder in adapters.items()}
    try:
        _voices.use(folders)
        _folders = folders
    finally:
        yield _said_of(_voices)


def _said_of(voices: "Voices") -> dict[str, Any]:
    precision = voices.quantization.name or str(voices.device.dtype).removeprefix("torch.")
    return {
        "model": voices.model_name,
        "voices": voices.names,
        "base_check": voices.base_check,
        "footprint_gib": voices.footprint_gib,
        "precision": precision,
        "device": voices.device.name,
        "dtype_reason": voices.device.reason._asdict(),
        "template_note": voices.template_note and voices.template_note._asdict(),
        "notes": [note._asdict() for note in voices.notes],
    }


def _doing(en: str, zh: str) -> dict[str, Any]:
    return {"doing": Sentence(en, zh)._asdict()}


def _load_and_give_way(**asked: Any) -> Iterator[dict[str, Any]]:
    """As `load`, for a process that holds the card until a run needs it."""
    global _watching
    from engine.chat import leave

    for look in load(**asked):
        if _voices and _voices.device.type == "cuda" and not _watching:
            leave.watch()
            _watching = True
        yield look


def _chat(
    histories: dict[str, list[dict]],
    own: dict[str, dict],
    settings: dict[str, float],
    stopping: Stopping = stopping,
) -> Iterator[dict]:
    yield from _voices.answer(histories, stopping, own, **settings)


def _evaluate(
    prompts: str,
    dataset: str,
    count: int,
    unseen: bool,
    reading: dict[str, str],
    instruction: str,
    systems: dict[str, str],
    own: dict[str, dict],
    settings: dict[str, float],
    stopping: Stopping = stopping,
) -> Iterator[dict]:
    from engine.evaluation import asked
    from engine.evaluation.batch import evaluate
    from engine.evaluation.copied import taught_by

    taught = taught_by(_folders.values())
    if dataset:
        without = taught if unseen else ()
        seed = settings["seed"]
        questions = asked.from_dataset(Path(dataset), count, seed, **reading, without=without)
    else:
        questions = asked.typed(prompts)
    questions = asked.instructed(questions, instruction)
    yield from evaluate(_voices, questions, taught, stopping, systems, own, **settings)


# What a loaded model can be asked.
CALLS = {"chat": _chat, "evaluate": _evaluate}

if __name__ == "__main__":
    serve(CALLS | {"load": _load_and_give_way})
