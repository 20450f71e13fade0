"""An adapter made ready to travel: a copy without what belongs to this machine, with its card."""

import json
import shutil
from pathlib import Path
from typing import Any

from engine.export.card import write_card
from engine.export.source import Source

# By name, so that nothing of training (optimiser, scheduler, random states) goes along.
_TRAVELS = (
    *("adapter_config.json", "*.safetensors", "*.safetensors.index.json", "config.json"),
    *("generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    *("special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "greenroom.json"),
)


def pack(source: Source, folder: Path) -> None:
    """Writes the adapter into `folder`, which is there and empty."""
    for pattern in _TRAVELS:
        for file in source.folder.glob(pattern):
            if file.suffix == ".json" and file.name in ("adapter_config.json", "greenroom.json"):
                read = json.loads(file.read_text(encoding="utf-8"))
                text = json.dumps(_without_places(read), ensure_ascii=False, indent=1)
                (folder / file.name).write_text(text, encoding="utf-8")
            else:
                shutil.copyfile(file, folder / file.name)
    write_card(folder, source, "adapter", {})


def _without_places(value: Any) -> Any:
    """Paths of this machine become the names at their ends."""
    if isinstance(value, dict):
        return {name: _without_places(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_without_places(one) for one in value]
    if isinstance(value, str) and (Path(value).is_absolute() or value.startswith("~")):
        return Path(value).name if "\n" not in value else value
    return value
