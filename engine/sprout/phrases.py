"""Sentences that make sense: words that belong together, in a few hundred shapes a language.

`grammar.py` joins any words; here a sentence keeps to one subject, so that what is said of a boat
can be said of a boat. `phrases_en.yaml` and `phrases_zh.yaml` hold words, shapes and the exercises
made of them: sentences with a word in them, continuations, letters, plain words put in an old way,
and answers as somebody else would give them. Only these exercises, and pages that are no
conversation, speak so; asked plainly, sprout answers plainly.
"""

import random
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import yaml

from engine.sprout.inflection import capitals, comparative, deed_in, fact_in, plural, with_article
from engine.sprout.variants import joined

SLOT = re.compile(r"\{(\w+?)(\d?)((?:\.\w)*)\}")
SPOKEN_AS_ONE = {"dear", "name", "己", "君"}  # said twice in one breath, these stay the same


@cache
def words(language: str) -> dict:
    """One YAML file, its lists as lists: lines, or words between commas."""
    path = Path(__file__).parent / f"phrases_{language}.yaml"
    return listed(yaml.safe_load(path.read_text(encoding="utf-8")))


def listed(entry: object) -> object:
    if isinstance(entry, dict):
        return {key: listed(value) for key, value in entry.items()}
    if not isinstance(entry, str):
        return entry
    if "\n" in entry:
        return [line.strip() for line in entry.splitlines() if line.strip()]
    return re.split(", |、", entry) if re.search(", |、", entry) else entry


class Speaker:
    """Fills shapes with the words of one subject; what was drawn lately is not drawn again."""

    def __init__(self, rng: random.Random, language: str, subject: str = ""):
        self.rng, self.language = rng, language
        self.words = words(language)
        self.subject = self.words["subjects"][subject or rng.choice(list(self.words["subjects"]))]
        self.kept: dict[str, str] = {}
        self.lately: list[str] = []

    def draw(self, kind: str) -> str:
        choices = self.subject.get(kind) or self.words["general"][kind]
        for _ in range(4):
            drawn = self.rng.choice(choices)
            if drawn not in self.lately:
                break
        self.lately = [*self.lately[-8:], drawn]
        return drawn

    def fill(self, shape: str, fresh: bool = True) -> str:
        """A shape with all its slots filled, its sentences beginning with capitals."""
        if fresh:
            self.kept = {k: v for k, v in self.kept.items() if k in SPOKEN_AS_ONE}
        text = SLOT.sub(self.slot, shape)
        return capitals(text) if self.language == "en" else text

    def slot(self, match: re.Match[str]) -> str:
        kind, number, endings = match.groups()
        key = kind + number
        if kind in SPOKEN_AS_ONE or number:
            drawn = self.kept.setdefault(key, "") or self.draw(kind)
            self.kept[key] = drawn
        else:
            drawn = self.draw(kind)
        if self.language == "zh":
            return drawn
        forms = endings.replace(".", "")
        if kind == "deed":
            return deed_in(drawn, forms)
        if kind == "fact":
            return fact_in(drawn, forms)
        if "p" in forms:
            drawn = plural(drawn)
        if "e" in forms:
            drawn = comparative(drawn)
        return with_article(drawn) if "a" in forms else drawn

    def sentence(self, old: bool = False) -> str:
        if self.language == "en" and old:
            return self.fill(self.rng.choice(self.words["pairs"]).split(" => ")[1])
        return self.fill(self.rng.choice(self.words["old" if old else "shapes"]))

    def sentences(self, count: int, old: bool = False) -> list[str]:
        return [self.sentence(old) for _ in range(count)]


def is_old(rng: random.Random, language: str) -> bool:
    return rng.random() < (0.5 if language == "zh" else 0.25)


def page(rng: random.Random, language: str) -> str:
    """Plain text, no conversation: some sentences on one subject, a pair, a letter, an answer."""
    kind = rng.random()
    if kind < 0.08:
        return letter(rng, language)[1]
    if kind < 0.16:
        plain, old = pair(rng, language)
        return joined(language, [plain, old])
    if kind < 0.26:
        voice = rng.choice(list(words(language)["voices"]))
        subject = words(language)["voices"][voice]
        about = [rng.choice(list(words(language)["answers"])) for _ in range(rng.randint(1, 3))]
        speaker = Speaker(rng, language, subject)
        return joined(language, [reply(speaker, key.split("|")[0]) for key in about])
    speaker = Speaker(rng, language)
    return joined(language, speaker.sentences(rng.randint(1, 7), is_old(rng, language)))


def with_word(rng: random.Random, language: str) -> tuple[str, str]:
    speaker, old = Speaker(rng, language), is_old(rng, language)
    text = joined(language, speaker.sentences(rng.choice((1, 1, 2, 3)), old))
    listed_words = [
        word
        for kind in ("thing", "who", "adj")
        for word in speaker.subject[kind]
        if re.search(rf"\b{word}\b" if language == "en" else word, text)
    ]
    if not listed_words or rng.random() < 0.1:
        return rng.choice(words(language)["free"]), text
    asks = words(language)["old_asks" if old and language == "zh" else "asks"]
    return rng.choice(asks).replace("{x}", rng.choice(listed_words)), text


def continued(rng: random.Random, language: str) -> tuple[str, str]:
    parts = Speaker(rng, language).sentences(rng.randint(2, 4), is_old(rng, language))
    cut = rng.randint(1, len(parts) - 1)
    if rng.random() < 0.5:
        mark = " " if language == "en" else "，"
        before, found, after = parts[0].partition(mark)
        if found and before and after:
            return rng.choice(words(language)["on"]).replace("{x}", before + "..."), after
    ask = rng.choice(words(language)["on"]).replace("{x}", joined(language, parts[:cut]))
    return ask, joined(language, parts[cut:])


def letter(rng: random.Random, language: str) -> tuple[str, str]:
    speaker = Speaker(rng, language)
    about = speaker.draw("thing")
    shape = rng.choice(words(language)["letter"])
    for name in re.findall(r"\{(o?[abc])\}", shape):
        body = rng.choice(words(language)["old" if name[0] == "o" else "shapes"])
        shape = shape.replace("{" + name + "}", body)
    if language == "en":
        about = f"the {about}"
    shape = re.sub(r"\{(名|name)\}", lambda match: speaker.draw(match.group(1)), shape)
    return rng.choice(words(language)["letters"]).replace("{x}", about), speaker.fill(shape)


def pair(rng: random.Random, language: str) -> tuple[str, str]:
    """A plain sentence and the same in an old way."""
    speaker = Speaker(rng, language)
    plain, old = rng.choice(words(language)["pairs"]).split(" => ")
    return speaker.fill(plain), speaker.fill(old, fresh=False)


def restyled(rng: random.Random, language: str) -> tuple[str, str]:
    plain, old = pair(rng, language)
    return rng.choice(words(language)["restyle"]).replace("{x}", plain), old


def reply(speaker: Speaker, intent: str) -> str:
    """What somebody of a trade says to a question of some intent."""
    answers = speaker.words["answers"]
    fitting = [
        key
        for key in answers
        if key and any(f"_{part}_" in f"_{intent}_" for part in key.split("|"))
    ]
    return speaker.fill(speaker.rng.choice(answers[fitting[0] if fitting else ""]))


def in_a_voice(
    rng: random.Random, language: str, ask: Callable[[], tuple[str, str]]
) -> tuple[str, str]:
    """An everyday question answered as somebody else would; `ask` gives (intent, wording)."""
    intent, wording = ask()
    voice = rng.choice(list(words(language)["voices"]))
    speaker = Speaker(rng, language, words(language)["voices"][voice])
    told = rng.choice(words(language)["tell"]).replace("{v}", voice).replace("{x}", wording)
    return told, reply(speaker, intent)


def repeated(rng: random.Random, language: str) -> str:
    """Something worth repeating."""
    return Speaker(rng, language).sentence(is_old(rng, language))


def exercise(
    rng: random.Random, language: str, ask: Callable[[], tuple[str, str]]
) -> tuple[str, str]:
    """A request that wants sentences of this kind, and them."""
    kind = rng.random()
    if kind < 0.55:
        return in_a_voice(rng, language, ask)
    if kind < 0.70:
        return with_word(rng, language)
    if kind < 0.79:
        return continued(rng, language)
    if kind < 0.94:
        return restyled(rng, language)
    return letter(rng, language)
