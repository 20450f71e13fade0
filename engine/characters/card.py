"""A character card: what is known of a character, and the system prompt made of it."""

import re
from dataclasses import dataclass, field, fields
from typing import Any

from engine.characters.placeholders import fill
from engine.chat.sampling import RANGES, checked
from engine.errors import Sentence, UserError

LONGEST_TEXT = 40_000  # characters of one text
LONGEST_NAME = 100
MOST = {"alternate_greetings": 100, "questions": 20, "tags": 1000}
SPOKEN_NAMES = ("name", "nickname", "user")
NAMES = (*SPOKEN_NAMES, "creator")  # on one line
TEXTS = ("instructions", "persona", "personality", "scenario", "greeting", "examples")
_START = re.compile(r"^[ \t]*<START>[ \t]*$", re.IGNORECASE | re.MULTILINE)
_ORIGINAL = re.compile(r"\{\{\s*original\s*\}\}", re.IGNORECASE)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_HEADINGS = {
    "original": Sentence("You are {{char}}.", "你是{{char}}。"),
    "personality": Sentence("Personality: ", "性格："),
    "scenario": Sentence("Scenario: ", "场景："),
    "examples": Sentence("How {{char}} speaks:\n\n", "{{char}}说话的样子：\n\n"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """A card as it was written, placeholders and all; what is filled in comes from its properties.

    `instructions` stand before all else, with `{{original}}` for "You are NAME."; `user` is what
    the character calls the person; `kept` is what another program knows and this one does not.
    Of the samples alone: `dataset`, and `exam` with the markers of the voice and its held-out
    questions.
    """

    id: str
    name: str
    nickname: str = ""
    user: str = ""
    language: str = "en"
    title: Sentence = Sentence("", "")
    dataset: str = ""
    instructions: str = ""
    persona: str = ""
    personality: str = ""
    scenario: str = ""
    greeting: str = ""
    alternate_greetings: list[str] = field(default_factory=list)
    examples: str = ""
    questions: list[str] = field(default_factory=list)
    sampling: dict[str, float] = field(default_factory=dict)
    tags: list[str] = field(default_factory=list)
    creator: str = ""
    exam: dict[str, list[str]] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    is_sample: bool = False

    @property
    def called(self) -> str:
        """What others call it."""
        return self.nickname or self.name

    def fill(self, text: str) -> str:
        """A text of the card with both names filled in."""
        user = self.user or Sentence("User", "用户").in_language(self.language)
        return fill(text, self.called, user)

    @property
    def system_prompt(self) -> str:
        """All that the model is told before the conversation, in training and in chat."""
        instructions = _ORIGINAL.sub(lambda _: self._heading("original"), self.instructions)
        parts = [instructions.strip(), self.persona.strip()]
        for name in ("personality", "scenario"):
            if text := getattr(self, name).strip():
                parts.append(self._heading(name) + text)
        if said := [one.strip() for one in _START.split(self.examples) if one.strip()]:
            parts.append(self._heading("examples") + "\n\n".join(said))
        return self.fill("\n\n".join(part for part in parts if part))

    @property
    def greetings(self) -> list[str]:
        """How the character may open a conversation; the first is the usual one."""
        return [self.fill(one) for one in (self.greeting, *self.alternate_greetings) if one.strip()]

    @property
    def suggestions(self) -> list[str]:
        """Questions that one may begin with."""
        return [self.fill(one) for one in self.questions]

    def _heading(self, name: str) -> str:
        return _HEADINGS[name].in_language(self.language)


# What only the samples have: a card from outside cannot name a dataset or bring patterns to match.
OF_SAMPLES = ("title", "dataset", "exam")
WRITTEN = tuple(
    one.name for one in fields(Character) if one.name not in ("id", "is_sample", *OF_SAMPLES)
)


def character(id: str, written: dict[str, Any], is_sample: bool = False) -> Character:
    """A card out of what stands in a file or a form; keys that are unknown here are kept.

    Raises UserError (with the field) for what is too long, too many, or no text where text must be.
    """
    names = (*WRITTEN, *OF_SAMPLES) if is_sample else WRITTEN
    known = {name: written[name] for name in names if written.get(name) is not None}
    for name in (*NAMES, *TEXTS):
        known[name] = _text(name, known.get(name))
    for name in MOST:
        known[name] = _list(name, known.get(name))
    if not known["name"].strip():
        raise UserError(
            "A character needs a name; write one.", "角色需要一个名字，请填写。", field="name"
        )
    known["sampling"] = _sampling(known.get("sampling"))
    known["kept"] = _kept(written, names)
    if known.get("language") not in ("en", "zh"):
        known["language"] = _language(known)
    known["title"] = Sentence(**known["title"]) if is_sample else Sentence(*2 * [known["name"]])
    return Character(id=id, is_sample=is_sample, **known)


def written(one: Character) -> dict[str, Any]:
    """What `character` makes the same card of; without what is empty."""
    values = {name: getattr(one, name) for name in WRITTEN}
    return {name: value for name, value in values.items() if value}


def _kept(written: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    unknown = {str(key): one for key, one in written.items() if key not in names}
    before = written.get("kept")
    return (before if isinstance(before, dict) else {}) | unknown


def _text(name: str, value: Any) -> str:
    if isinstance(value, list | dict):
        raise UserError(
            f"{name} must be text, but the card has a list or an object there; write it as text.",
            f"{name} 应当是文字，卡片里却是列表或对象；请改写成文字。",
            field=name,
        )
    text = "" if value is None else str(value)
    most = LONGEST_NAME if name in SPOKEN_NAMES else LONGEST_TEXT
    if len(text) > most:
        raise UserError(
            f"{name} has {len(text):,} characters; at most {most:,} are allowed. Shorten it.",
            f"{name} 有 {len(text):,} 个字符，最多 {most:,} 个，请缩短。",
            field=name,
        )
    return text.strip() if name in NAMES else text


def _list(name: str, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [] if value is None else [value]
    if len(values) > MOST[name]:
        raise UserError(
            f"{name} has {len(values)} entries; at most {MOST[name]} are allowed. Remove some.",
            f"{name} 有 {len(values)} 项，最多 {MOST[name]} 项，请删去一些。",
            field=name,
        )
    return [_text(name, one) for one in values]


def _sampling(value: Any) -> dict[str, float]:
    """Only settings that are known; a card cannot ask for what is out of range."""
    if value in (None, ""):
        return {}
    if not isinstance(value, dict):
        raise UserError(
            f"sampling must name settings with their values, such as {next(iter(RANGES))}: 0.7.",
            f"sampling 应写成设置和数值，例如 {next(iter(RANGES))}: 0.7。",
            field="sampling",
        )
    checked(value)
    return dict(value)


def _language(known: dict[str, Any]) -> str:
    """Chinese is written in about a third as many letters as English."""
    text = " ".join(known[name] for name in ("name", *TEXTS))
    letters = sum(one.isalpha() for one in text)
    return "zh" if 4 * len(_CHINESE.findall(text)) > letters else "en"
