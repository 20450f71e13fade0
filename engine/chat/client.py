"""The page's end of the chat process, or on ZeroGPU of the GPU lent for each call."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from engine import visitors
from engine.chat.adapters import find, is_here
from engine.chat.lent import Lent
from engine.chat.sampling import checked
from engine.child import Child
from engine.errors import UserError
from engine.hardware import where
from engine.library import require
from engine.models.adapter import weights

_child = Lent() if where() == "zerogpu" else Child("engine.chat.process")
_loaded: dict[str, Any] | None = None
_loaded_as: tuple | None = None
_speaking = threading.Lock()
_asker: str | None = None  # in whose name the last question is answered
_stops: Counter[str | None] = Counter()  # how often each has asked to stop


def load(
    model_name_or_path: str,
    adapters: list[str],
    load_in_4bit: bool = False,
    load_in_8bit: bool = False,
) -> dict[str, Any]:
    """Loads a base with the adapters of these voices (see `engine.chat.adapters`) and says what it
    takes: model, voices ["base", id ...], footprint_gib, precision, device, dtype_reason, notes.

    Does nothing when just that is loaded already. Raises UserError; the base without its adapters
    may be loaded then, as `status` says, and else the process has ended.
    """
    *_, loaded = loading(model_name_or_path, adapters, load_in_4bit, load_in_8bit)
    return loaded


def loading(
    model_name_or_path: str,
    adapters: list[str],
    load_in_4bit: bool = False,
    load_in_8bit: bool = False,
) -> Iterator[dict[str, Any]]:
    """As `load`, with {"doing": {en, zh}} before each step that takes time, and what is loaded
    last. A stop meanwhile is an error at the end, so that nothing is asked then."""
    global _loaded, _loaded_as, _asker
    me = visitors.asking()
    stops = _stops[me]
    for voice in adapters:
        if not is_here(voice):
            en, zh = f"Fetching {voice} from the Hub", f"正在从 Hub 下载 {voice}"
            yield {"doing": {"en": en, "zh": zh}}
    folders = {voice: find(voice).folder for voice in adapters}
    wanted = (
        model_name_or_path,
        load_in_4bit,
        load_in_8bit,
        tuple((n, weights(f)[0].stat().st_mtime) for n, f in folders.items()),
    )
    with _speaking:  # who speaks now goes on with what was loaded for them
        if status() is None or wanted != _loaded_as:
            _loaded = _loaded_as = None
            _asker = me
            yield from _load_anew(
                model_name_or_path=model_name_or_path,
                adapters={name: str(folder) for name, folder in folders.items()},
                load_in_4bit=load_in_4bit,
                load_in_8bit=load_in_8bit,
            )
            _loaded_as = wanted
        loaded = _loaded
    if _stops[me] != stops:
        raise UserError(
            "Stopped while the model was loading, so nothing was asked. Ask again when you like.",
            "载入模型时已停止，没有提问；需要时请再问一次。",
        )
    yield loaded


def _load_anew(**asked: Any) -> Iterator[dict[str, Any]]:
    """Yields what is being done; what is loaded stands in `_loaded` then, before an error of an
    adapter's, too. A process that holds nothing is ended."""
    global _loaded
    try:
        for look in _child.ask("load", **asked):
            if "doing" in look:
                yield look
            else:
                _loaded = look
    except UserError:
        if _loaded is None:
            _child.close()
        raise


def chat(
    histories: dict[str, list[dict[str, str]]],
    own: dict[str, dict[str, float]] | None = None,
    loaded: dict[str, Any] | None = None,
    **settings: float,
) -> Iterator[dict[str, dict[str, Any]]]:
    """Streams {voice: answer} about every 40 ms; `load` first. `own` holds the settings in which
    a voice differs from the others, `loaded` what `load` gave: no other model answers in its
    place. Raises UserError."""
    settings = checked(settings)
    yield from _ask("chat", loaded, histories=histories, own=own or {}, settings=settings)


def evaluate(
    prompts: str = "",
    dataset: str = "",
    count: int = 20,
    unseen: bool = False,
    mapping: str = "",
    speaker: str = "",
    instruction: str = "",
    systems: dict[str, str] | None = None,
    own: dict[str, dict[str, float]] | None = None,
    loaded: dict[str, Any] | None = None,
    **settings: float,
) -> Iterator[dict[str, Any]]:
    """Every voice answers many questions and is measured; yields what engine.evaluation.batch does.
    `load` first, `loaded` as in `chat`. They are `prompts`, one a line, or drawn from a `dataset`
    of the library by the seed, read by `mapping` and `speaker`; `unseen`: without what the voices
    were trained on. `systems` holds the voices' system prompts. Raises UserError."""
    settings = checked(settings)
    yield from _ask(
        "evaluate",
        loaded,
        prompts=prompts,
        dataset=str(require(dataset)) if dataset else "",
        count=int(count),
        unseen=unseen,
        reading={"mapping": mapping, "speaker": speaker},
        instruction=instruction,
        systems=systems or {},
        own=own or {},
        settings=settings,
    )


def _needs(loaded: dict[str, Any] | None) -> None:
    if loaded is not None and status() is not loaded:
        raise UserError(
            "Another model was loaded, or this one was unloaded, before it could answer; ask "
            "again.",
            "回答之前载入了别的模型，或者这个模型已被卸载；请再问一次。",
        )
    if status() is None:
        raise UserError(
            "No model is loaded; choose one above and send again.",
            "还没有载入模型；请先在上方选择，再发送。",
        )


def _ask(call: str, loaded: dict[str, Any] | None, **arguments: Any) -> Iterator[Any]:
    global _asker
    with _speaking:
        _needs(loaded)
        _asker = visitors.asking()
        yield from _child.ask(call, **arguments)


def is_speaking() -> bool:
    """Whether somebody is answered, or a model loaded, just now."""
    return _speaking.locked()


def is_own() -> bool:
    """Whether the last question was asked in the name of who asks now."""
    return visitors.may_see(_asker)


def stop() -> None:
    """Ends the running answer within a token, unless it is another visitor's. What is loading for
    an answer is loaded, and then not asked."""
    _stops[visitors.asking()] += 1
    if is_own():
        _child.stop()


def unload() -> None:
    """Ends the chat process, which gives all of its memory back. Raises UserError while it speaks
    for another visitor."""
    global _loaded, _loaded_as
    if _speaking.locked() and not is_own():
        raise UserError(
            "Somebody else is being answered just now; unload the model when that is done.",
            "模型正在回答别人；请等它答完再卸载。",
        )
    _loaded = _loaded_as = None
    _child.close()


def status() -> dict[str, Any] | None:
    """What is loaded, None when nothing is."""
    return _loaded if _child.alive else None
