"""The licences of base and data, as far as they are known here."""

import re
from pathlib import Path
from typing import Any

import yaml

from engine import library
from engine.errors import UserError
from engine.export.source import Source
from engine.models.load import locate
from engine.places import DATA_DIR

UNKNOWN = "not known"
_FRONT = re.compile(r"\A---\s*\n(.*?)\n---\s*\n", re.DOTALL)
_SECONDS_FOR_THE_HUB = 5


def of_base(base: str) -> str:
    """As the front matter of the base's README says, on this machine or on the Hub."""
    try:
        place = Path(locate(base))
    except UserError:  # its folder has gone; the adapter can leave all the same
        return UNKNOWN
    file = place / "README.md"
    if place.is_dir():
        text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
    else:
        text = _card_from_hub(base)
    return _licence_in(text)


def of_data(source: Source) -> str:
    """Samples come under Greenroom's own; of other data nothing is written down."""
    dataset = source.run.config.dataset if source.run else ""
    if any(one.id == dataset and one.is_sample for one in library.list_datasets()):
        return _licence_in((DATA_DIR.parent / "README.md").read_text(encoding="utf-8"))
    return UNKNOWN


def front_matter(text: str) -> dict[str, Any]:
    """The YAML before a README; {} where there is none that can be read."""
    found = _FRONT.match(text)
    try:
        read = yaml.safe_load(found[1]) if found else {}
    except (yaml.YAMLError, ValueError, RecursionError):  # such as a date that there is not
        return {}
    return read if isinstance(read, dict) else {}


def _licence_in(text: str) -> str:
    licence = front_matter(text).get("license")
    return licence if isinstance(licence, str) and licence else UNKNOWN


def _card_from_hub(base: str) -> str:
    """ "" where it is not in the cache and the Hub cannot be asked: a card is no reason to fail."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        file = hf_hub_download(base, "README.md", etag_timeout=_SECONDS_FOR_THE_HUB)
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError, ValueError):
        return ""
    return Path(file).read_text(encoding="utf-8", errors="replace")
