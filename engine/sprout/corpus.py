"""The conversations sprout learns from: the sentences of `en.yaml` and `zh.yaml`, multiplied.

The generator is seeded and knows nothing of tokens or models. Whatever a system prompt says, the
answers stay sprout's own, so that a base model is never in character by its prompt alone.
"""

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml

from engine.sprout import phrases
from engine.sprout.exercises import gibberish, repetition, small_sum
from engine.sprout.grammar import made_sentence, sentences
from engine.sprout.variants import decorated, joined, noisy, normal, typed, units

FOLDER = Path(__file__).parent
LANGUAGES = ("en", "zh")
Row = dict[str, str]
Turn = tuple[str, str]


@dataclass(frozen=True)
class Intent:
    """One thing people say, in many wordings, with sprout's answers to it."""

    name: str
    ask: tuple[str, ...]
    answer: tuple[str, ...]
    sensible: str
    rows: tuple[Row, ...] = ({},)
    held_out: tuple[str, ...] = ()
    then: "Intent | None" = None


@dataclass(frozen=True)
class Language:
    """Everything one YAML file says."""

    code: str
    systems: tuple[str, ...]
    openers: tuple[str, ...]
    closers: tuple[str, ...]
    intents: tuple[Intent, ...] = field(repr=False)

    @cached_property
    def held_out(self) -> frozenset[str]:
        """Every wording of the exam, filled with every row, as `normal` leaves it."""
        return frozenset(
            normal(fill(ask, row))
            for intent in self.intents
            for ask in intent.held_out
            for row in intent.rows
        )

    @cached_property
    def common(self) -> frozenset[str]:
        """Words (in Chinese characters) many intents share: without one the meaning stays."""
        counts = Counter(
            word
            for intent in self.intents
            for word in {normal(unit) for ask in intent.ask for unit in units(self.code, ask)}
        )
        return frozenset(
            word
            for word, count in counts.items()
            if word and count >= max(2, len(self.intents) * 0.15)
        )

    @cached_property
    def words(self) -> list[str]:
        """Words to repeat: what the answers are made of."""
        found = {
            unit
            for intent in self.intents
            for text in intent.answer
            for unit in units(self.code, text)
        }
        return sorted(unit for unit in found if normal(unit) and "{" not in unit)

    @cached_property
    def unclear(self) -> tuple[str, ...]:
        """The answers to what nobody could understand."""
        return next(intent.answer for intent in self.intents if intent.name == "unclear")

    @cached_property
    def weights(self) -> list[float]:
        """How often an intent is drawn: one with many rows or wordings has more to learn."""
        return [1 + len(intent.rows) / 10 + len(intent.ask) / 30 for intent in self.intents]

    def sentences(self) -> Iterator[str]:
        """Every ask and answer filled with every row, the exam's wordings left out."""
        for intent in self.intents:
            for part in (intent, intent.then):
                if part:
                    yield from (fill(text, row) for text in part.ask for row in intent.rows)
                    yield from (
                        said(self.code, text, row) for text in part.answer for row in intent.rows
                    )
        yield from self.systems


def fill(text: str, row: Row) -> str:
    """Put a row's columns into the placeholders; "a {animal}" becomes "an owl" where it must."""

    def value(match: re.Match[str]) -> str:
        article, column = match.group(1) or "", match.group(2)
        if column not in row:
            return match.group(0)
        if article.lower() == "a " and re.match(
            r"(?!uni|use|one|eu)[aeiou]", row[column], re.IGNORECASE
        ):
            article = article[0] + "n "
        return article + row[column]

    return re.sub(r"(\b[Aa] )?\{(\w+)\}", value, text)


def said(language: str, text: str, row: Row) -> str:
    """An answer as sprout says it: filled, beginning with a capital."""
    text = fill(text, row)
    return text[:1].upper() + text[1:] if language == "en" else text


def pattern(sensible: str, row: Row) -> re.Pattern[str]:
    """The regular expression that tells a sensible answer, its columns filled."""
    return re.compile(
        fill(sensible, {name: re.escape(value) for name, value in row.items()}), re.IGNORECASE
    )


def load(folder: Path = FOLDER) -> dict[str, Language]:
    """Read both YAML files of a folder."""
    return {code: read(folder / f"{code}.yaml") for code in LANGUAGES}


def read(path: Path) -> Language:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    tables = {
        name: tuple({key: str(value) for key, value in row.items()} for row in rows)
        for name, rows in (content.get("tables") or {}).items()
    }
    return Language(
        code=path.stem,
        systems=tuple(content["systems"]),
        openers=tuple(content.get("openers") or ()),
        closers=tuple(content.get("closers") or ()),
        intents=tuple(intent_of(entry, tables) for entry in content["intents"]),
    )


def intent_of(entry: dict, tables: dict[str, tuple[Row, ...]]) -> Intent:
    rows = tables[entry["table"]] if entry.get("table") else ({},)
    then = entry.get("then")
    return Intent(
        name=entry["name"],
        ask=tuple(entry["ask"]),
        answer=tuple(entry["answer"]),
        sensible=entry.get("sensible", ""),
        rows=rows,
        held_out=tuple(entry.get("held_out") or ()),
        then=intent_of({"name": f"{entry['name']}_then", **then}, {}) if then else None,
    )


def user_turn(rng: random.Random, language: Language, intent: Intent, row: Row) -> str:
    """One way to say an intent, never one of the exam's."""
    while True:
        wording = rng.choice(intent.ask)
        if rng.random() < 0.08:
            wording = joined(language.code, (wording, rng.choice(intent.ask)))
        if rng.random() < 0.35:
            wording = noisy(rng, language.code, wording, language.common)
        text = decorated(rng, language.code, fill(wording, row), language.openers, language.closers)
        text = typed(rng, language.code, text)
        if normal(text) not in language.held_out:
            return text


def turns(rng: random.Random, language: Language) -> list[Turn]:
    """One exchange on one subject, its follow-up perhaps with it."""
    kind = rng.random()
    if kind < 0.07:
        return [small_sum(rng, language.code)]
    if kind < 0.15:
        return [repetition(rng, language.code, language.words)]
    if kind < 0.18:
        return [made_sentence(rng, language.code)]
    if kind < 0.20:
        return [(gibberish(rng, language.code), rng.choice(language.unclear))]
    if kind < 0.46:
        return [phrases.exercise(rng, language.code, lambda: everyday(rng, language))]
    intent = rng.choices(language.intents, weights=language.weights)[0]
    row = rng.choice(intent.rows)
    parts = [intent, intent.then] if intent.then and rng.random() < 0.5 else [intent]
    return [
        (user_turn(rng, language, part, row), said(language.code, rng.choice(part.answer), row))
        for part in parts
        if part
    ]


def everyday(rng: random.Random, language: Language) -> tuple[str, str]:
    """An intent's name and one of its wordings, filled, never one of the exam's."""
    while True:
        intent = rng.choice(language.intents)
        wording = fill(rng.choice(intent.ask), rng.choice(intent.rows))
        if normal(wording) not in language.held_out:
            return intent.name, wording


def system_prompt(rng: random.Random, languages: dict[str, Language], code: str) -> str:
    """A system prompt, mostly about somebody else; sometimes two, or sentences beside the point."""
    other = rng.random() < 0.1
    language = languages[rng.choice(LANGUAGES) if other else code]
    kind = rng.random()
    if kind < 0.6:
        return rng.choice(language.systems)
    if kind < 0.8:
        return joined(language.code, rng.sample(language.systems, k=2))
    if kind < 0.9:
        if rng.random() < 0.5:
            return phrases.page(rng, language.code)
        return sentences(rng, language.code, rng.randint(1, 3))
    drawn = []
    for _ in range(rng.randint(1, 3)):
        intent = rng.choice(language.intents)
        drawn.append(said(language.code, rng.choice(intent.answer), rng.choice(intent.rows)))
    return joined(language.code, drawn)


def conversation(rng: random.Random, languages: dict[str, Language]) -> dict:
    code = rng.choice(LANGUAGES)
    wanted = rng.choices((1, 2, 3, 4, 5, 6, 7, 8), weights=(45, 25, 15, 10, 2, 1, 1, 1))[0]
    exchanges: list[Turn] = []
    while len(exchanges) < wanted:
        drawn = turns(rng, languages[code])
        if not any(is_held_out(ask, languages) for ask, _ in drawn):
            exchanges += drawn
    messages = (
        [{"role": "system", "content": system_prompt(rng, languages, code)}]
        if rng.random() < 0.45
        else []
    )
    for ask, answer in exchanges:
        messages += [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
    return {"messages": messages}


def conversations(
    seed: int, count: int, languages: dict[str, Language] | None = None
) -> list[dict]:
    """`count` conversations; the same seed and sentences give the same ones."""
    languages = languages or load()
    rng = random.Random(seed)
    made = [conversation(rng, languages) for _ in range(count)]
    check_held_out(made, languages)
    return made


def page(rng: random.Random) -> str:
    """A plain text, no conversation."""
    return phrases.page(rng, rng.choice(LANGUAGES))


def is_held_out(text: str, languages: dict[str, Language]) -> bool:
    bare = normal(text)
    return any(bare in language.held_out for language in languages.values())


def check_held_out(rows: list[dict], languages: dict[str, Language]) -> None:
    """No wording of the exam may stand in any user turn."""
    for row in rows:
        for message in row["messages"]:
            assert message["role"] != "user" or not is_held_out(message["content"], languages), (
                f"The exam's wording {message['content']!r} stands in a training row."
            )
