"""The chat process: holds one base with its adapters until it is ended. `python -m` this."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.child import serve, stopping
from engine.errors import Sentence

_voices = None
_watching = False


def _load(
    model_name_or_path: str, adapters: dict[str, str], load_in_4bit: bool, load_in_8bit: bool
) -> Iterator[dict[str, Any]]:
    """The base is loaded anew only when another one, or another precision, is asked for. Yields
    {"doing": {en, zh}} before each step that takes time, then what is loaded."""
    global _voices, _watching
    yield _doing("Starting the chat process", "正在启动对话进程")
    from engine.chat import leave
    from engine.chat.voices import Voices
    from engine.hardware import pick_device
    from engine.models.load import Quantization

    quantization = Quantization(load_in_4bit, load_in_8bit)
    same = _voices and (_voices.model_name, _voices.quantization) == (
        model_name_or_path,
        quantization,
    )
    if not same:
        name = Path(model_name_or_path).name
        yield _doing(f"Reading the weights of {name}", f"正在读取 {name} 的权重")
        _voices = None  # gives the old base's memory back before the new one comes
        _voices = Voices(model_name_or_path, pick_device(), quantization)
    if _voices.device.type == "cuda" and not _watching:
        leave.watch()
        _watching = True
    if adapters:
        yield _doing(
            f"Putting {len(adapters)} adapter{'s'[: len(adapters) > 1]} on",
            f"正在装上 {len(adapters)} 个适配器",
        )
    _voices.use({name: Path(folder) for name, folder in adapters.items()})
    yield {
        "model": model_name_or_path,
        "voices": _voices.names,
        "base_check": _voices.base_check,
        "footprint_gib": _voices.footprint_gib,
        "precision": quantization.name or str(_voices.device.dtype).removeprefix("torch."),
        "device": _voices.device.name,
        "dtype_reason": _voices.device.reason._asdict(),
        "template_note": _voices.template_note and _voices.template_note._asdict(),
    }


def _doing(en: str, zh: str) -> dict[str, Any]:
    return {"doing": Sentence(en, zh)._asdict()}


def _chat(
    histories: dict[str, list[dict]], own: dict[str, dict], settings: dict[str, float]
) -> Iterator[dict]:
    yield from _voices.answer(histories, stopping, own, **settings)


def _answer_many(conversations: list[list[dict]], settings: dict[str, float]) -> Iterator[dict]:
    from engine.chat.many import answer_many

    yield from answer_many(_voices, conversations, stopping, **settings)


if __name__ == "__main__":
    serve({"load": _load, "chat": _chat, "answer_many": _answer_many})
