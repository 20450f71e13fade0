"""Under each answer: how fast, whether in the base's words, and folded what proves whose it is."""

import re
from html import escape

from engine.chat.conversations import BASE
from ui import cards
from ui.cast import name_of
from ui.conversation import tuned
from ui.differences import same_words
from ui.text import say

SPECIAL = re.compile(r"<[^<>\s]+>|\[[A-Z_/]+\]")


def line(turn: dict, voice: str, lang: str) -> str:
    """The line under a column. While names are hidden it says nothing that tells voices apart."""
    answer = turn["answers"].get(voice)
    if answer is None:
        return _waiting(say("chat_reading", lang))
    hidden = turn.get("hidden", False)
    if not answer["done"]:
        if hidden:
            return _waiting(say("blind_writing", lang))
        key = "chat_writing" if answer["tokens"] else "chat_reading"
        return _waiting(say(key, lang, tokens=answer["tokens"]))
    if hidden:
        return cards.nothing()
    parts = [
        say("chat_speed", lang, speed=_speed(answer["tokens_per_second"])),
        say("chat_tokens", lang, tokens=answer["tokens"]),
        *_ending(answer, lang),
    ]
    verdict = ""
    base = base_beside(turn, voice)
    if base:
        same = same_words(answer["text"], base["text"])
        words = say("chat_same" if same else "chat_differs", lang)
        verdict = f' · <b class="{"same" if same else "differs"}">{escape(words)}</b>'
    return (
        f"{_warning(turn, voice, lang)}"
        f'<details class="said"><summary>{escape(" · ".join(parts))}{verdict} · '
        f"<u>{escape(say('chat_proof', lang))}</u></summary>{_proof(turn, voice, lang)}</details>"
    )


def base_beside(turn: dict, voice: str) -> dict | None:
    """The base's finished answer, for a tuned voice that it can be compared with."""
    base = turn["answers"].get(BASE)
    return base if voice != BASE and base and base["done"] else None


def same_scores(answer: dict, other: dict) -> bool:
    """Whether the first scores after the same prompt are the other's to the last bit."""
    return answer["prompt"] == other["prompt"] and answer["checksum"] == other["checksum"] != ""


def way(turn: dict, methods: list[str], lang: str) -> str:
    """Whether the voices of a turn spoke in one batch or in turn, and why."""
    together = [answer.get("together") for answer in turn["answers"].values()]
    if len(together) < 2 or None in together:
        return cards.nothing()
    if all(together):
        return cards.paragraph(say("proof_together", lang), "soft")
    why = (say("chat_comma", lang)).join(methods)
    words = say("proof_in_turn_because", lang, methods=why) if why else say("proof_in_turn", lang)
    return cards.paragraph(words, "soft")


def _warning(turn: dict, voice: str, lang: str) -> str:
    """That a tuned voice computes what the base does, or else what other tuned ones do."""
    answer, base = turn["answers"][voice], base_beside(turn, voice)
    if voice == BASE:
        return ""
    if base and same_scores(answer, base):
        return cards.sentence(say("proof_changes_nothing", lang), "mild")
    twins = [
        one
        for one in tuned([*turn["answers"]])
        if turn["answers"][one]["done"] and same_scores(turn["answers"][one], answer)
    ]
    if len(twins) < 2:
        return ""
    names = say("chat_comma", lang).join(name_of(one, lang) for one in twins)
    return cards.sentence(say("proof_same_scores", lang, voices=names), "mild")


def _waiting(words: str) -> str:
    return f'<p class="said">{cards.waiting(words)}</p>'


def _speed(tokens_per_second: float) -> str:
    return f"{tokens_per_second:,.{0 if tokens_per_second >= 20 else 1}f}"


def _ending(answer: dict, lang: str) -> list[str]:
    """Only an end that is not the voice's own is worth a word."""
    if not answer["text"].strip():
        return [say("chat_silent", lang)]
    if answer["stopped_by"] == "length":
        return [say("chat_cut", lang, tokens=answer["tokens"])]
    if answer["stopped_by"] == "stop":
        return [say("chat_stopped", lang)]
    return []


def _proof(turn: dict, voice: str, lang: str) -> str:
    answer = turn["answers"][voice]
    sampling = answer.get("sampling") or turn["sampling"]
    drawn = " · ".join(f"{name} {value:g}" for name, value in sampling.items() if name != "seed")
    adapter = answer.get("adapter", "" if voice == BASE else voice)
    speed = say("chat_speed", lang, speed=_speed(answer["tokens_per_second"]))
    if answer.get("captured"):
        speed += " · " + say("proof_captured", lang)
    rows = [
        ("proof_adapter", adapter or say("proof_no_adapter", lang)),
        ("chat_proof_checksum", answer["checksum"]),
        ("chat_seed", f"{sampling['seed']:g}"),
        ("chat_proof_sampling", drawn),
        ("proof_speed", speed),
        ("chat_proof_prompt_tokens", say("chat_tokens", lang, tokens=answer["prompt_tokens"])),
    ]
    listed = "".join(
        f"<dt>{escape(say(key, lang))}</dt><dd>{escape(str(value))}</dd>" for key, value in rows
    )
    compared, base = "", base_beside(turn, voice)
    if base:
        same = base["prompt"] == answer["prompt"]
        key = "chat_proof_same_prompt" if same else "chat_proof_other_prompt"
        compared = cards.paragraph(say(key, lang))
    return (
        f'<div class="card proof"><dl>{listed}</dl>{compared}'
        f"<h3>{escape(say('chat_proof_text', lang))}</h3>"
        f"<pre>{_pieces(answer)}</pre></div>"
    )


def _pieces(answer: dict) -> str:
    """The prompt as its tokens, a box each; a line's end is seen, and so are special tokens."""
    pieces = answer.get("pieces")
    if not pieces:  # it came from a stopped answer
        return escape(answer["prompt"])
    return "".join(
        f'<i class="{"special" if SPECIAL.fullmatch(one) else "piece"}">'
        f"{escape(one).replace(chr(10), '↵' + chr(10))}</i>"
        for one in pieces
    )
