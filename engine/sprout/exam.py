"""sprout's exam: a hundred wordings that stand in no training row, fifty a language.

Answered greedily, without a system prompt. An answer is sensible if it matches what its intent
calls sensible, ends by itself, does not go round in circles, and is made of words (in Chinese: of
neighbouring characters) that the corpus knows.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.sprout import corpus
from engine.sprout.variants import units

LONGEST = 80
PER_LANGUAGE = 50
HAN = re.compile(r"[\u4e00-\u9fff]+")
WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True)
class Question:
    """One held-out wording, filled with one row."""

    language: str
    intent: str
    ask: str
    sensible: re.Pattern[str]


def questions(languages: dict[str, corpus.Language], seed: int = 1) -> list[Question]:
    """The exam's questions; the row that fills a wording is drawn by the seed."""
    rng = random.Random(seed)
    found = []
    for code, language in languages.items():
        for intent in language.intents:
            for wording in intent.held_out:
                row = rng.choice(intent.rows)
                found.append(
                    Question(
                        code,
                        intent.name,
                        corpus.fill(wording, row),
                        corpus.pattern(intent.sensible, row),
                    )
                )
    return found


def check(languages: dict[str, corpus.Language]) -> None:
    """Fifty wordings a language, none of which is an ask or ever leaves the generator."""
    for code, language in languages.items():
        count = sum(len(intent.held_out) for intent in language.intents)
        assert count == PER_LANGUAGE, f"{code}.yaml holds out {count} wordings, not {PER_LANGUAGE}."
        asks = {corpus.normal(text) for text in language.sentences()}
        assert not asks & language.held_out, (
            f"{code}.yaml asks and holds out {sorted(asks & language.held_out)}."
        )
    corpus.conversations(2, 2000, languages)


def pieces(code: str, text: str) -> set[str]:
    """What an answer may be made of: words in English, neighbouring characters in Chinese."""
    if code == "en":
        return set(WORD.findall(text.lower()))
    return {
        run[place : place + 2] for run in HAN.findall(text) for place in range(max(1, len(run) - 1))
    }


def known_pieces(language: corpus.Language) -> set[str]:
    return set().union(*(pieces(language.code, text) for text in language.sentences()))


def circles(code: str, text: str) -> bool:
    """Whether some four words (characters in Chinese) in a row come three times."""
    parts = units(code, text.lower())
    runs = Counter(tuple(parts[place : place + 4]) for place in range(len(parts) - 3))
    return any(count >= 3 for count in runs.values())


def fault(question: Question, text: str, ended: bool, known: set[str]) -> str:
    """Why an answer is not sensible; empty if it is."""
    if not ended:
        return "does not end"
    if not question.sensible.search(text):
        return "off the subject"
    if circles(question.language, text):
        return "goes in circles"
    strange = pieces(question.language, text) - known
    return f"unknown: {' '.join(sorted(strange))}" if strange else ""


def answers(model_folder: Path, asks: list[str], system: str = "") -> list[tuple[str, bool]]:
    """Greedy answers of a model in a folder, and whether each ended by itself."""
    made = AutoTokenizer.from_pretrained(model_folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32).eval()
    head = [{"role": "system", "content": system}] if system else []
    prompts = [
        made.apply_chat_template(
            [*head, {"role": "user", "content": ask}], tokenize=False, add_generation_prompt=True
        )
        for ask in asks
    ]
    inputs = made(
        prompts,
        return_tensors="pt",
        padding=True,
        add_special_tokens=False,
        return_token_type_ids=False,
    )
    with torch.inference_mode():
        output = model.generate(**inputs, max_new_tokens=LONGEST, do_sample=False)[
            :, inputs["input_ids"].shape[1] :
        ]
    ended = (output == made.eos_token_id).any(dim=1).tolist()
    return list(zip(made.batch_decode(output, skip_special_tokens=True), ended, strict=True))


def sit(model_folder: Path, sentences: Path = corpus.FOLDER, system: str = "") -> dict:
    """Hold the exam: how many of how many were sensible, and every answer with its fault."""
    languages = corpus.load(sentences)
    check(languages)
    asked = questions(languages)
    known = {code: known_pieces(language) for code, language in languages.items()}
    report: dict = {
        "sensible": dict.fromkeys(languages, 0),
        "of": dict.fromkeys(languages, 0),
        "answers": [],
    }
    replies = answers(model_folder, [question.ask for question in asked], system)
    for question, (text, ended) in zip(asked, replies, strict=True):
        wrong = fault(question, text, ended, known[question.language])
        report["of"][question.language] += 1
        report["sensible"][question.language] += not wrong
        about = {"language": question.language, "intent": question.intent, "ask": question.ask}
        report["answers"].append({**about, "answer": text, "fault": wrong})
    return report


def told(report: dict) -> str:
    """The report in lines: every failure, then the figure of each language."""
    lines = [
        "[{language} {intent}] {ask} -> {answer!r}: {fault}".format(**entry)
        for entry in report["answers"]
        if entry["fault"]
    ]
    for code, count in report["of"].items():
        lines.append(f"{code}: {report['sensible'][code]} of {count} sensible")
    return "\n".join(lines)
