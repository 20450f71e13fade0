"""Sentences for the person, in both of the page's languages: what is wrong, why, what to do."""

from typing import NamedTuple


class Sentence(NamedTuple):
    """One sentence in English and Chinese; `in_language("zh-CN")` picks."""

    en: str
    zh: str

    def in_language(self, language: str) -> str:
        return self.zh if language.startswith("zh") else self.en


class UserError(Exception):
    """A mistake a person can mend. `field` names the option it belongs to, "" for none; `remedy`
    names what the page can do about it at a person's word ("mend"), "" for nothing.
    """

    def __init__(self, en: str, zh: str, field: str = "", remedy: str = ""):
        super().__init__(en)
        self.sentence = Sentence(en, zh)
        self.field = field
        self.remedy = remedy


def quoted(written: object) -> str:
    """What somebody wrote, as a sentence repeats it: in quotation marks, and its middle left out
    where it is too long to be read again."""
    said = repr(written)
    return said if len(said) <= 100 else f"{said[:75]} ... {said[-20:]}"


# torch's allocator has an error of its own; that of the processor, the driver, cuBLAS and Triton
# only say it.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether it is memory that ran out, in whoever's words."""
    said = str(error).lower()
    known = type(error).__name__ in ("OutOfMemoryError", "MemoryError")
    return known or any(words in said for words in _OUT_OF_MEMORY)


def first_line(said: object) -> str:
    """Of what a library's error says, as much as a sentence of ours can quote."""
    return str(said).strip().split("\n")[0][:200]
