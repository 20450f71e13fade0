"""Text in Markdown that reads as it was written."""

import re
from typing import Any

_SIGNS = re.compile(r"([\\`*_\[\]<>|#~$])")


def plain(value: Any) -> str:
    """One line of text that Markdown takes literally."""
    return _SIGNS.sub(r"\\\1", " ".join(str(value).split()))
