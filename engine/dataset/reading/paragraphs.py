"""Plain text becomes rows: its paragraphs, or its lines where no blank line parts any."""

import re
from collections.abc import Iterator

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")


def text_rows(text: str) -> Iterator[dict[str, str]]:
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    parts = _BLANK_LINES.split(text)
    for part in parts if len(parts) > 1 else text.split("\n"):
        if part.strip():
            yield {"text": part.strip()}
