"""Faults of single texts: where one stands, and the text without it.

Each is a pair of functions: `find_*` gives the place of the first one as (start, end), None when
there is none; `mend_*` gives the text without any of its kind.
"""

import html
import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from engine.dataset.doctor.garbled_chinese import may_be_gbk, restored

Place = tuple[int, int]


class Fault(NamedTuple):
    """How one kind of fault is found and mended."""

    find: Callable[[str], Place | None]
    mend: Callable[[str], str]


# What ftfy does not look for: U+FFFD, its UTF-8 bytes read as GB18030 (锟斤拷) or as Latin-1, and
# the fillers of Microsoft's debuggers read as GBK (烫烫烫, 屯屯屯).
_LOST = re.compile("\ufffd|锟斤拷|ï¿½|烫烫烫|屯屯屯")
# UTF-8 Chinese or Japanese read as Windows-1252 with bytes lost, so that ftfy finds no way back:
# two characters of three bytes each (one alone may be French: an é, a hard space, a ») or 文.
_LATIN_CHINESE = re.compile(
    "(?:[äåæçèéã][\u0080-\u00bf–—‘-„†-•…‰‹›€™ŒœŠšŽžŸƒˆ˜]{2}){2}|æ–‡",
)
# The first byte of a UTF-8 character, 0xC2 to 0xF4, as the one-byte encodings that ftfy knows show
# it: without one of these there is nothing to undo, and most texts have none.
_LEAD = re.compile("[\u0080-\u024f\u0370-\u05ff\u201a\u201e\u2030\u221a\u2248\u2500-\u25ff]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff]")

# A text's code: what stands there is shown, not meant.
CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)

_TAGS = (
    "a b big blockquote br center code dd del div dl dt em font h[1-6] hr i img ins li mark "
    "nobr ol p pre small span strike strong sub sup table tbody td tfoot th thead tr tt u ul"
)
_TAG = re.compile(
    rf"<(?P<end>/?)(?P<name>{'|'.join(_TAGS.split())})(?:\s+[\w:-]+\s*=\s*[^<>]*)?\s*/?>",
    re.IGNORECASE,
)
_ENTITY = re.compile(
    r"&(?:nbsp|lt|gt|amp|quot|apos|ndash|mdash|hellip|[lr][sd]quo|middot|bull|copy|reg|trade"
    r"|#\d{2,6}|#x[0-9a-f]{2,5});",
    re.IGNORECASE,
)
_HTML = re.compile(f"{_TAG.pattern}|{_ENTITY.pattern}", re.IGNORECASE)
_LINE_TAGS = re.compile(r"(?:br|p|div|li|tr|hr|h[1-6]|blockquote|dd|dt)\Z", re.IGNORECASE)
# A row that says such a thing is about HTML, and its tags are meant.
_ABOUT_HTML = re.compile(
    r"html|\bxml|\bcss\b|javascript|\bjsx?\b|\bweb ?(?:page|site)|\btags?\b|<!doctype"
    r"|网页|标签|前端|</?(?:head|body|form|input|button|script|style|svg|title|link|meta|nav|label)\b",
    re.IGNORECASE,
)


@cache
def _encoding_only():
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
    )


def find_garbled(text: str) -> Place | None:
    """Text that was read in a wrong encoding once: what can be undone and what is lost."""
    if text.isascii():
        return None
    if found := _LOST.search(text) or _LATIN_CHINESE.search(text):
        return found.span()
    if line := next((one for one in text.split("\n") if restored(one)), ""):
        return text.index(line), text.index(line) + len(line)
    if not _LEAD.search(text):
        return None
    from ftfy.badness import BADNESS_RE

    found = BADNESS_RE.search(text)
    # ftfy's measure alone suspects sound text too, such as a single “à” amid Chinese
    return found.span() if found and mend_garbled(text) != text else None


def mend_garbled(text: str) -> str:
    """Only the encoding is undone: no quotes, widths or line ends change. A line of which something
    was lost stays."""
    return "\n".join(_ungarbled(line) for line in text.split("\n"))


def _ungarbled(line: str) -> str:
    from ftfy import fix_text

    if found := restored(line):
        return line if "\ufffd" in found else found
    return line if may_be_gbk(line) else fix_text(line, _encoding_only())


def find_control(text: str) -> Place | None:
    """Control characters other than line feed and tab, and byte order marks."""
    if text.isprintable():
        return None
    found = _CONTROL.search(text)
    return found and found.span()


def mend_control(text: str) -> str:
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def find_html(text: str) -> Place | None:
    """Tags and entities outside code."""
    if ("<" not in text and "&" not in text) or not _HTML.search(text):
        return None
    found = _HTML.search(without_code(text))
    return found and found.span()


def mend_html(text: str) -> str:
    """Tags go (those that begin a line leave a line feed), entities become their characters."""
    return outside_code(lambda part: _ENTITY.sub(_unescaped, _TAG.sub(_stripped, part)), text)


def _stripped(tag: re.Match) -> str:
    begins_a_line = _LINE_TAGS.match(tag["name"]) and not tag["end"]
    return "\n" if begins_a_line else ""


def _unescaped(entity: re.Match) -> str:
    return html.unescape(entity[0].lower()).replace("\xa0", " ")


def without_code(text: str) -> str:
    """The text with its code blanked out; every other character stands where it stood."""
    return CODE.sub(lambda code: " " * len(code[0]), text) if "`" in text else text


def outside_code(change: Callable[[str], str], text: str) -> str:
    """The text with everything but its code changed."""
    parts = CODE.split(text)  # with one group, every second part is code
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))


# In the order of mending: an entity may stand for a control character, garbled text for an entity.
FAULTS: dict[str, Fault] = {
    "mojibake": Fault(find_garbled, mend_garbled),
    "html": Fault(find_html, mend_html),
    "control_characters": Fault(find_control, mend_control),
}


def fault_in(kind: str, texts: list[str]) -> tuple[str, int] | None:
    """(text, start) of the first fault of that kind in the texts of one row."""
    for text in texts:
        if place := FAULTS[kind].find(text):
            sound = kind == "html" and any(_ABOUT_HTML.search(one) for one in texts)
            return None if sound else (text, place[0])
    return None
