"""Sentences right in form that mean nothing in particular, to teach how words go together.

A few hundred fixed answers alone would make a model that can say these and nothing else;
fine-tuning then could give it new words, not new sentences. `words.yaml` holds the words.
"""

import random
from functools import cache
from pathlib import Path

import yaml

SUBJECTS = {
    "en": ("I", "you", "we", "they", "he", "she", "it", "nobody", "everyone"),
    "zh": ("我", "你", "我们", "他们", "他", "她", "它", "没有人", "大家"),
}
PLURAL = ("I", "you", "we", "they")


@cache
def words(language: str) -> dict[str, list[str]]:
    text = (Path(__file__).parent / "words.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)[language]


def with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


class English:
    """Clauses in three tenses, with articles, third persons and short relative clauses."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.words = words("en")

    def pick(self, kind: str) -> str:
        return self.rng.choice(self.words[kind])

    def noun(self, kind: str, depth: int) -> str:
        """A noun with what stands before and perhaps behind it."""
        name, chance = self.pick(kind), self.rng.random()
        if self.rng.random() < 0.4:
            name = f"{self.pick('quality')} {name}"
        if depth and chance < 0.12:
            name = f"{name} {self.pick('where')} {self.noun('thing', 0)}"
        elif depth and chance < 0.18:
            name = f"{name} that {self.deed('he', depth - 1)}"
        start = self.rng.choice(
            ("the", "the", "my", "your", "our", "this", "one", "every", "a", "a")
        )
        return with_article(name) if start == "a" else f"{start} {name}"

    def verb(self, kind: str, subject: str, tense: str) -> str:
        base, third, past = self.pick(kind).replace("-", "_").split(" ")
        if tense == "now":
            form = base if subject in PLURAL else third
        elif tense == "past":
            form = past
        else:
            helper = self.rng.choice(("will", "can", "must", "may", "would", "will not", "cannot"))
            form = f"{helper} {base}"
        return form.replace("_", " ")

    def deed(self, subject: str, depth: int) -> str:
        """What a subject does or is."""
        tense = self.rng.choice(("now", "past", "later"))
        chance = self.rng.random()
        if chance < 0.25:
            now = "am" if subject == "I" else "are" if subject in PLURAL else "is"
            past = "were" if subject in PLURAL[1:] else "was"
            be = {"now": now, "past": past, "later": "will be"}[tense]
            degree = self.rng.choice(("", "", "very ", "not ", "too ", "never "))
            return f"{be} {degree}{self.pick('quality')}"
        if chance < 0.6:
            deed = f"{self.verb('does', subject, tense)} {self.noun(self.kind(), depth)}"
        else:
            deed = self.verb("goes", subject, tense)
        if self.rng.random() < 0.4:
            deed += f" {self.pick('where')} {self.noun('thing', 0)}"
        return deed

    def kind(self) -> str:
        return self.rng.choices(("thing", "animal", "person"), weights=(6, 2, 2))[0]

    def clause(self) -> str:
        chance = self.rng.random()
        if chance < 0.08:
            there = self.rng.choice(("There is", "There was", "Here is", "I see", "Look at"))
            return f"{there} {self.noun(self.kind(), 1)}"
        if chance < 0.5:
            subject = self.rng.choice(SUBJECTS["en"])
            said = f"{subject} {self.deed(subject, 1)}"
        else:
            said = f"{self.noun(self.kind(), 1)} {self.deed('he', 1)}"
        if self.rng.random() < 0.25:
            said += f" {self.pick(self.rng.choice(('when', 'how')))}"
        return said

    def sentence(self) -> str:
        said, chance = self.clause(), self.rng.random()
        if chance < 0.25:
            said = f"{said}{self.rng.choice((' ', ', '))}{self.pick('joint')} {self.clause()}"
        elif chance < 0.33:
            said = f"{self.pick('when')}, {said}"
        elif chance < 0.4:
            opening = ("I think", "I know", "I hope", "she said", "they say", "he told me")
            said = f"{self.rng.choice(opening)} that {said}"
        elif chance < 0.46:
            said = f"{said}, {self.noun(self.kind(), 0)} and {self.noun(self.kind(), 0)}"
        return said[:1].upper() + said[1:] + self.rng.choice("......!")


class Chinese:
    """The same in Chinese: time, place and manner before the verb."""

    def __init__(self, rng: random.Random):
        self.rng = rng
        self.words = words("zh")

    def pick(self, kind: str) -> str:
        return self.rng.choice(self.words[kind])

    def noun(self) -> str:
        name = self.pick(self.rng.choices(("thing", "animal", "person"), weights=(6, 2, 2))[0])
        if self.rng.random() < 0.3:
            name = f"{self.pick('quality')}的{name}"
        starts = ("", "", "", "我的", "你的", "这个", "那个", "一个", "每个", "几个", "许多")
        return self.rng.choice(starts) + name

    def place(self) -> str:
        return self.pick("where").replace("A", self.pick("thing"))

    def clause(self) -> str:
        chance = self.rng.random()
        subject = self.rng.choice(SUBJECTS["zh"]) if self.rng.random() < 0.45 else self.noun()
        if chance < 0.1:
            return f"{self.place()}有{self.noun()}"
        if chance < 0.3:
            degree = self.rng.choice(("很", "非常", "不", "有点", "太", "真", "最", "更"))
            return f"{subject}{degree}{self.pick('quality')}"
        before = "".join(
            self.pick(kind) if kind != "where" else self.place()
            for kind, share in (("when", 0.3), ("where", 0.25), ("how", 0.2))
            if self.rng.random() < share
        )
        helper = self.rng.choice(
            ("", "", "", "会", "想", "要", "能", "不", "没有", "正", "可以", "不敢")
        )
        if chance < 0.7:
            return f"{subject}{before}{helper}{self.pick('does')}{self.noun()}"
        return f"{subject}{before}{self.pick('goes')}"

    def sentence(self) -> str:
        said, chance = self.clause(), self.rng.random()
        if chance < 0.25:
            said = f"{said}，{self.pick('joint')}{self.clause()}"
        elif chance < 0.4:
            said = f"{said}，{self.clause()}"
        elif chance < 0.46:
            said = f"{self.rng.choice(('我想', '听说', '他说', '我知道', '大家都说'))}，{said}"
        return said + self.rng.choice("。。。。。。！")


def sentences(rng: random.Random, language: str, count: int) -> str:
    """So many sentences in a row."""
    maker = English(rng) if language == "en" else Chinese(rng)
    return (" " if language == "en" else "").join(maker.sentence() for _ in range(count))


def made_sentence(rng: random.Random, language: str) -> tuple[str, str]:
    """A request for a sentence, perhaps with a word in it, and one to three sentences."""
    ask = rng.choice(words(language)["asks"])
    text = sentences(rng, language, rng.choices((1, 2, 3), weights=(5, 4, 2))[0])
    found = [
        w for kind in ("thing", "animal", "person") for w in words(language)[kind] if w in text
    ]
    if "{x}" in ask and not found:
        return words(language)["asks"][0], text
    return ask.replace("{x}", rng.choice(found) if found else ""), text
