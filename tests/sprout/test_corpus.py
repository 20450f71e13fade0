"""The corpus: deterministic, free of the exam's wordings, sensible by its own measure."""

import json
import random
from pathlib import Path

import pytest
import yaml

from engine.sprout import corpus, exam, inflection, phrases
from engine.sprout.exercises import common_characters, number_word, small_sum
from engine.sprout.grammar import English, made_sentence, with_article
from engine.sprout.variants import noisy, normal


@pytest.fixture(scope="module")
def languages():
    return corpus.load()


def test_same_seed_same_conversations(languages):
    first, second = (corpus.conversations(3, 40, languages) for _ in range(2))
    assert first == second
    assert first != corpus.conversations(4, 40, languages)


def test_roles_take_turns(languages):
    for row in corpus.conversations(5, 300, languages):
        roles = [message["role"] for message in row["messages"]]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns == ["user", "assistant"] * (len(turns) // 2)
        assert all(message["content"].strip() for message in row["messages"])
        assert not any("{" in message["content"] for message in row["messages"])


def test_no_held_out_wording_in_any_row(languages):
    exam.check(languages)
    rows = corpus.conversations(6, 3000, languages)
    said = {normal(m["content"]) for row in rows for m in row["messages"] if m["role"] == "user"}
    for language in languages.values():
        assert not said & language.held_out


def test_a_held_out_wording_is_refused(languages):
    wording = exam.questions(languages)[0].ask.upper()
    row = {"messages": [{"role": "user", "content": f"{wording} !"}]}
    with pytest.raises(AssertionError, match="stands in a training row"):
        corpus.check_held_out([row], languages)


@pytest.mark.parametrize("code", corpus.LANGUAGES)
def test_every_answer_is_sensible(languages, code):
    known = exam.known_pieces(languages[code])
    for intent in languages[code].intents:
        for part in filter(None, (intent, intent.then)):
            for row in intent.rows:
                sensible = corpus.pattern(part.sensible, row)
                for answer in part.answer:
                    text = corpus.said(code, answer, row)
                    question = exam.Question(code, part.name, "", sensible)
                    assert exam.fault(question, text, True, known) == "", text


def test_fill_finds_the_article():
    row = {"animal": "owl", "thing": "uniform"}
    assert corpus.fill("A {animal} in a {thing}, {other}", row) == "An owl in a uniform, {other}"


def test_normal_ignores_case_punctuation_and_spaces():
    assert normal("What's  UP, sprout?") == normal("whats up sprout")
    assert normal("你 好！") == "你好"


def test_noise_keeps_placeholders():
    rng = random.Random(0)
    common = frozenset({"does", "a"})
    for _ in range(200):
        assert "{animal}" in noisy(rng, "en", "What sound does a {animal} make?", common)


def test_sums_are_right():
    rng = random.Random(0)
    assert [number_word("en", n) for n in (0, 13, 20, 38)] == [
        "zero",
        "thirteen",
        "twenty",
        "thirty-eight",
    ]
    assert [number_word("zh", n) for n in (0, 10, 13, 20, 38)] == [
        "零",
        "十",
        "十三",
        "二十",
        "三十八",
    ]
    assert small_sum(rng, "en") == small_sum(random.Random(0), "en")


def test_made_sentences_hold_the_word_asked_for():
    rng = random.Random(0)
    for code in corpus.LANGUAGES:
        for _ in range(100):
            ask, text = made_sentence(rng, code)
            assert "{x}" not in ask
            assert text[-1] in ".!。！"


def test_verbs_agree_with_their_subject():
    english = English(random.Random(0))
    english.words = {"does": ["look-for looks-for looked-for"]}
    assert english.verb("does", "we", "now") == "look for"
    assert english.verb("does", "she", "now") == "looks for"
    assert english.verb("does", "she", "past") == "looked for"
    assert (with_article("owl"), with_article("cat")) == ("an owl", "a cat")


def test_common_characters_are_gb2312_level_1():
    characters = common_characters()
    assert len(characters) == len(set(characters)) == 3755
    assert (characters[0], characters[-1]) == ("啊", "座")


@pytest.mark.parametrize(
    ("text", "ended", "fault"),
    [
        ("The cat is red.", True, ""),
        ("The cat is red.", False, "does not end"),
        ("The cat is blue.", True, "off the subject"),
        ("red cat is the " * 3, True, "goes in circles"),
        ("The cot is red.", True, "unknown: cot"),
    ],
)
def test_faults(text, ended, fault):
    question = exam.Question("en", "x", "", corpus.pattern("{colour}", {"colour": "red"}))
    assert exam.fault(question, text, ended, {"the", "cat", "is", "red", "blue"}) == fault


def characters_say():
    """What the shipped characters' data sets answer, and what their exams ask."""
    rows, asked = [], []
    for path in sorted(Path("data/characters").glob("*.yaml")):
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
        asked += card["exam"]["questions"]
        text = Path("data/datasets", card["dataset"]).read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line.strip()]
        entries = json.loads(text) if text.startswith("[") else [json.loads(x) for x in lines]
        for entry in entries:
            messages = entry.get("messages") or [{"role": "assistant", "content": entry["output"]}]
            rows += [m["content"] for m in messages if m["role"] == "assistant"]
    return rows, asked


def test_no_characters_row_or_question_is_learned(languages):
    rows, asked = characters_say()
    assert len(rows) > 400
    assert len(asked) == 60
    rng = random.Random(11)
    said = [text for language in languages.values() for text in language.sentences()]
    made = corpus.conversations(12, 3000, languages)
    said += [m["content"] for row in made for m in row["messages"]]
    said += [corpus.page(rng) for _ in range(4000)]
    whole = {normal(text) for text in said}
    everything = "|".join(whole)
    assert not [text for text in rows if normal(text) in everything]
    assert not [text for text in asked if normal(text) in whole]


@pytest.mark.parametrize("code", corpus.LANGUAGES)
def test_every_shape_can_be_filled(code):
    told = phrases.words(code)
    shapes = [*told["shapes"], *told.get("old", []), *sum(told["answers"].values(), [])]
    shapes += [half for pair in told["pairs"] for half in pair.split(" => ")]
    for subject in told["subjects"]:
        speaker = phrases.Speaker(random.Random(1), code, subject)
        assert not [text for text in map(speaker.fill, shapes) if set("{}^*") & set(text)]


def test_verbs_nouns_and_qualities_have_their_forms():
    assert [inflection.verb("carry", form) for form in "sdng"] == [
        *("carries", "carried", "carried", "carrying"),
    ]
    assert [inflection.verb("write", form) for form in "sdng"] == [
        *("writes", "wrote", "written", "writing"),
    ]
    assert inflection.deed_in("give a little and ^take a little", "d") == (
        "gave a little and took a little"
    )
    assert inflection.fact_in("the rust: never sleep", "") == "the rust never sleeps"
    assert inflection.fact_in("*the gulls: steal the bread", "") == "the gulls steal the bread"
    assert inflection.fact_in("the rain: fall", "w") == "the rain will fall"
    assert [inflection.plural(noun) for noun in ("box", "berry", "loaf", "old man")] == [
        *("boxes", "berries", "loaves", "old men"),
    ]
    assert [inflection.comparative(word) for word in ("busy", "wide", "wet", "careful")] == [
        *("busier", "wider", "wetter", "more careful"),
    ]
    assert inflection.capitals('a old hat. "so?"') == 'An old hat. "So?"'


def test_plain_words_and_old_words_speak_of_the_same():
    for code in corpus.LANGUAGES:
        first, second = (phrases.pair(random.Random(4), code) for _ in range(2))
        assert first == second
        assert first[0] != first[1]
