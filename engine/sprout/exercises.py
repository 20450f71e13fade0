"""Exercises that need no hand-written answer: small sums, and repeating after the person.

The repeating exercise is what gives every common Chinese character (GB2312 level 1) and every
letter a trained embedding, so that people can fine-tune sprout on words it was never told of.
"""

import random
import string
from functools import cache

from engine.sprout.grammar import sentences
from engine.sprout.phrases import repeated

SUMS = {
    "en": {
        "+": [
            "What is {a} plus {b}?",
            "How much is {a} plus {b}?",
            "{a} + {b} = ?",
            "{a}+{b}",
            "{a} plus {b}",
            "Add {a} and {b}.",
            "Please add {b} to {a}.",
            "What do you get if you add {a} and {b}?",
            "What is the sum of {a} and {b}?",
            "Can you work out {a} + {b}?",
            "I have {a} apples and get {b} more. How many apples do I have?",
            "{a} birds sit in a tree and {b} more come. How many birds are there?",
            "{a} and {b} make how much?",
            "If I put {a} and {b} together, what comes out?",
        ],
        "-": [
            "What is {a} minus {b}?",
            "How much is {a} minus {b}?",
            "{a} - {b} = ?",
            "{a}-{b}",
            "{a} minus {b}",
            "Take {b} away from {a}.",
            "Please subtract {b} from {a}.",
            "What is left if I take {b} from {a}?",
            "What is the difference between {a} and {b}?",
            "Can you work out {a} - {b}?",
            "I have {a} apples and eat {b}. How many apples are left?",
            "{a} birds sit in a tree and {b} fly away. How many birds are left?",
            "{a} less {b} is how much?",
        ],
    },
    "zh": {
        "+": [
            "{a}加{b}等于几？",
            "{a}加{b}是多少？",
            "{a}+{b}=?",
            "{a}+{b}",
            "{a}加{b}",
            "请算一算{a}加{b}。",
            "帮我把{a}和{b}加起来。",
            "{a}和{b}的和是多少？",
            "{a}再加上{b}，一共是多少？",
            "我有{a}个苹果，又得到{b}个，一共有几个？",
            "树上有{a}只鸟，又飞来{b}只，现在有几只？",
            "{a}跟{b}合在一起是几？",
        ],
        "-": [
            "{a}减{b}等于几？",
            "{a}减{b}是多少？",
            "{a}-{b}=?",
            "{a}-{b}",
            "{a}减{b}",
            "请算一算{a}减{b}。",
            "从{a}里拿走{b}，还剩多少？",
            "{a}和{b}相差多少？",
            "{a}减去{b}，剩下多少？",
            "我有{a}个苹果，吃了{b}个，还剩几个？",
            "树上有{a}只鸟，飞走了{b}只，还剩几只？",
            "{a}比{b}多几？",
        ],
    },
}
SUM_ANSWERS = {
    "en": {
        "+": ["{a} plus {b} is {c}.", "{a} and {b} make {c}."],
        "-": ["{a} minus {b} is {c}.", "{a} take away {b} is {c}."],
    },
    "zh": {
        "+": ["{a}加{b}等于{c}。", "{a}加{b}是{c}。"],
        "-": ["{a}减{b}等于{c}。", "{a}减{b}是{c}。"],
    },
}
REPEATS = {
    "en": [
        "Repeat after me: {x}",
        "Say after me: {x}",
        "Please repeat: {x}",
        "Copy this: {x}",
        "Repeat these words: {x}",
    ],
    "zh": ["请跟我念：{x}", "跟我读：{x}", "请重复：{x}", "照着写：{x}", "跟着我说：{x}"],
}
SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
TENS = {2: "twenty", 3: "thirty", 4: "forty"}


@cache
def common_characters() -> tuple[str, ...]:
    """The 3,755 characters of GB2312 level 1, as the codec itself lists them."""
    codes = (
        (high, low)
        for high in range(0xB0, 0xD8)
        for low in range(0xA1, 0xFF)
        if (high, low) <= (0xD7, 0xF9)
    )
    return tuple(bytes(code).decode("gb2312") for code in codes)


def number_word(language: str, number: int) -> str:
    """A whole number from 0 to 49 in words."""
    tens, ones = divmod(number, 10)
    if language == "zh":
        digits = "零一二三四五六七八九"
        head = "" if tens == 0 else "十" if tens == 1 else digits[tens] + "十"
        return head + (digits[ones] if ones or not head else "")
    if number < 20:
        return SMALL[number]
    return TENS[tens] + (f"-{SMALL[ones]}" if ones else "")


def small_sum(rng: random.Random, language: str) -> tuple[str, str]:
    """A question and its answer: plus or minus from 0 to 20, in digits or sometimes in words."""
    sign = rng.choice("+-")
    a, b = rng.randint(0, 20), rng.randint(0, 20)
    if sign == "-" and a < b:
        a, b = b, a
    numbers = {"a": a, "b": b, "c": a + b if sign == "+" else a - b}
    ask = rng.choice(SUMS[language][sign])
    in_words = rng.random() < 0.2 and sign not in ask
    said = {
        name: number_word(language, value) if in_words else str(value)
        for name, value in numbers.items()
    }
    answer = rng.choice(SUM_ANSWERS[language][sign]).format(**said)
    return ask.format(**said), answer[0].upper() + answer[1:]


def random_text(rng: random.Random, language: str, words: list[str]) -> str:
    """Something to repeat: common characters, letters, digits, known words; no meaning intended."""
    kind = rng.random()
    if kind > 0.8:
        if rng.random() < 0.7:
            return repeated(rng, language)
        return sentences(rng, language, rng.randint(1, 2))
    if language == "zh" and kind < 0.7:
        characters = rng.choices(common_characters(), k=rng.randint(1, 16))
        if len(characters) > 6 and rng.random() < 0.3:
            characters.insert(len(characters) // 2, "，")
        return "".join(characters)
    if kind < 0.3:
        alphabet = string.ascii_letters if rng.random() < 0.5 else string.ascii_lowercase
        return " ".join(
            "".join(rng.choices(alphabet, k=rng.randint(1, 8))) for _ in range(rng.randint(1, 4))
        )
    if kind < 0.4:
        return " ".join(
            str(rng.randint(0, 10 ** rng.randint(1, 5))) for _ in range(rng.randint(1, 3))
        )
    joined = "" if language == "zh" else " "
    return joined.join(rng.choices(words, k=rng.randint(1, 8)))


def gibberish(rng: random.Random, language: str) -> str:
    """What a cat types: letters or characters by chance, one over and over, or only marks."""
    kind = rng.random()
    letters = common_characters() if language == "zh" and kind < 0.7 else string.ascii_lowercase
    if kind % 0.1 < 0.03:
        return rng.choice(letters) * rng.randint(3, 8)
    if kind % 0.1 < 0.04:
        return "".join(rng.choices("?!.#%&*-=/\\^~", k=rng.randint(2, 8)))
    words = ["".join(rng.choices(letters, k=rng.randint(3, 8))) for _ in range(rng.randint(1, 3))]
    return " ".join(words)


def repetition(rng: random.Random, language: str, words: list[str]) -> tuple[str, str]:
    """A request to say something again, and that something."""
    text = random_text(rng, language, words)
    return rng.choice(REPEATS[language]).replace("{x}", text), text
