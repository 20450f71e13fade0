"""What was understood of a dataset: facts of `desk.inspect` in, HTML out. Knows no component."""

import json

from engine.dataset.reasoning import in_words
from ui import cards
from ui.cards import number
from ui.text import both, say

MARKS = ("learned", "end", "read", "cut")
ARROW = " → "


def understood(facts: dict, language: str) -> str:
    """Format, encoding, what was dropped, which column plays which part."""
    read_as = say(
        "data_read_as",
        language,
        format=both(facts["format_title"]).in_language(language),
        encoding=str(facts["encoding"]).upper(),
    )
    dropped = [
        say(
            "data_dropped_lines" if facts["lines"] else "data_dropped",
            language,
            count=number(one["count"]),
            reason=both(one["reason"]).in_language(language),
        )
        for one in facts["dropped"]
    ]
    if dropped:
        kept = " · ".join(f'<span class="bad">{cards.text(line)}</span>' for line in dropped)
    else:
        kept = f'<span class="good">{cards.text(say("data_none_dropped", language))}</span>'
    roles = " · ".join(
        f"{column}{ARROW}{role}" for column, role in facts["mapping"].items() if column != role
    )
    mapping = f'<span class="soft">{cards.text(roles)}</span>'
    more = [both(note).in_language(language) for note in facts["notes"]]
    if facts.get("template_note"):
        more.append(both(facts["template_note"]).in_language(language))
    notes = "".join(cards.sentence(words, "mild") for words in [*_parts(facts, language), *more])
    return cards.card("", f"<div>{cards.text(read_as)} {kept} &ensp;{mapping}</div>", notes)


def _parts(facts: dict, language: str) -> list[str]:
    """A file of several shapes, or of several splits, in words."""
    said = []
    if len(facts["shapes"]) > 1:
        counted = [
            f"{number(one['rows'])} × {both(one['title']).in_language(language)}"
            for one in facts["shapes"]
        ]
        said.append(say("data_mixed", language, shapes=" · ".join(counted)))
    if facts["splits"]:
        counted = [f"{name} {number(rows)}" for name, rows in facts["splits"].items()]
        said.append(say("data_splits", language, splits=" · ".join(counted)))
    return said


def statement(facts: dict, max_length: int, language: str) -> str:
    """The totals as plain sentences."""
    tokens, trained = facts["total_tokens"], facts["trained_tokens"]
    share = f"{100 * trained / tokens:.0f}" if tokens else "0"
    lengths, zero = facts["lengths"], facts["zero_label_rows"]
    cut = lengths["truncated"]
    lost = say("data_cut_none", language)
    if cut:
        gone = number(lengths["lost_tokens"])
        lost = say("data_cut_some", language, rows=number(cut), tokens=gone)
    half, longest = number(lengths["p50"]), number(lengths["max"])
    of_tokens = say("data_of_tokens", language, tokens=number(tokens), trained=number(trained))
    learned = facts["end_token_trained"]
    pairs = [
        _counted(facts, language),
        (say("data_lengths", language), say("data_lengths_are", language, p50=half, max=longest)),
        (say("data_cut", language, length=number(max_length)), lost),
        (say("data_zero", language), say("data_zero_rows", language, rows=number(zero))),
    ]
    end = f"<dt>{cards.text(say('data_end_token', language))}</dt>" + (
        f'<dd class="{"good" if learned else "bad"}">'
        f"{cards.text(say('data_end_yes' if learned else 'data_end_no', language))}</dd>"
    )
    return cards.card(
        say("data_view_learns", language),
        cards.paragraph(say("data_share", language, share=share), "big"),
        cards.paragraph(of_tokens),
        cards.facts(pairs).replace("</dl>", f"{end}</dl>"),
    )


def _counted(facts: dict, language: str) -> tuple[str, str]:
    """What is used and what is dropped: of a script lines, else rows."""
    if facts["lines"]:
        counts = {name: number(count) for name, count in facts["lines"].items()}
        return say("data_lines", language), say("data_lines_are", language, **counts)
    usable, dropped = facts["usable"], sum(one["count"] for one in facts["dropped"])
    key = "data_rows_some" if dropped else "data_rows_all"
    said = say(key, language, rows=number(usable), dropped=number(dropped))
    return say("data_rows", language), said


def mask(facts: dict, language: str) -> str:
    """One row with every token marked, and what the marks mean."""
    pieces = "".join(
        f'<span class="{mark if mark in MARKS else "read"}">{cards.text(words)}</span>'
        for words, mark in facts["segments"]
    )
    key = "".join(
        f'<span><span class="swatch {mark}"></span>'
        f"{cards.text(say(f'data_mark_{mark}', language))}</span>"
        for mark in MARKS
    )
    return cards.card("", f'<div class="mask">{pieces}</div><div class="legend">{key}</div>')


def conversation(facts: dict, language: str) -> str:
    """The row as people would read it."""
    if not facts.get("messages"):
        return cards.card("", cards.paragraph(say("data_not_conversation", language), "soft"))
    turns = []
    for message in facts["messages"]:
        role = message["role"]
        kind = role if role in ("user", "system") else "assistant"
        known = role in ("user", "assistant", "system", "tool")
        name = say(f"data_{role}", language) if known else role
        words = cards.text(_said(message))
        turns.append(f'<div class="turn {kind}"><b>{cards.text(name)}</b>{words}</div>')
    return cards.card("", "".join(turns))


def _said(message: dict) -> str:
    """The words of a turn, its reasoning before them; a tool call as JSON."""
    calls = [one["function"] for one in message.get("tool_calls") or []]
    written = [json.dumps(one, ensure_ascii=False, indent=1) for one in calls]
    return "\n".join(part for part in (in_words(message), *written) if part)


def prompt(facts: dict) -> str:
    """The exact text that the model gets."""
    return cards.card("", f'<div class="mask">{cards.text(facts["text"])}</div>')
