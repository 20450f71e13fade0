"""Many answers as HTML: how far it is, the figures by voice, the table. Knows no component.

Plain data of engine.evaluation.batch in; every text of a person or a model is escaped.
"""

from engine.evaluation.exports import figure
from engine.evaluation.metrics import FIGURES
from ui import cards
from ui.cards import text
from ui.differences import changed_parts
from ui.text import say

SHOWN = 100  # rows; a browser has more to do with them than a person
WATCHED = 8  # of those, while it goes on
# By which answers of one row are told apart at a glance.
_OF_AN_ANSWER = ("rougeL", "chrf", "copied")


def progress(event: dict, seconds: float, lang: str) -> str:
    """How far the questions are, in words and as a bar; what is left is reckoned from what was."""
    done, total = event["done"], event["total"]
    words = say(f"judging_{event['phase']}", lang, done=done, total=total)
    if event["phase"] == "answers" and 0 < done < total:
        left = cards.about(seconds / done * (total - done)).in_language(lang)
        words += " · " + say("judging_left", lang, time=left)
    drawn = cards.bar([(done, "var(--g-accent)")], total, words)
    return cards.card("", cards.waiting(words), drawn, kind="judging-progress")


def ended(report: dict, lang: str) -> str:
    """What was done and what was left out."""
    answers = sum(len(row["answers"]) for row in report["rows"])
    time = f"{report['seconds']:,.1f}"
    lines = [cards.paragraph(say("judging_done", lang, answers=answers, time=time), "soft")]
    first = next(iter(report["summary"].values()))
    if report["stopped"]:
        words = say("judging_stopped", lang, rows=first["answers"])
        lines.append(cards.sentence(words, "mild"))
    if report["too_long"]:
        words = say("judging_too_long", lang, count=report["too_long"])
        lines.append(cards.sentence(words, "mild"))
    if report["in_training"]:
        counts = {"count": report["in_training"], "total": first["references"]}
        lines.append(cards.sentence(say("judging_in_training", lang, **counts), "mild"))
    return "".join(lines)


def summary(report: dict, names: dict[str, str], lang: str) -> str:
    """A line for each figure that any voice has, each with what it means."""
    voices, lines = report["voices"], ""
    for name in FIGURES:
        values = [report["summary"][voice][name] for voice in voices]
        if all(value is None for value in values):
            continue
        told = text(say(f"judging_{name}_help", lang))
        cells = "".join(f"<td>{text(figure(value)) or '–'}</td>" for value in values)
        label = text(say(f"judging_{name}", lang))
        head = f'<th scope="row">{label}<small>{told}</small></th>'
        lines += f'<tr data-figure="{name}" title="{told}">{head}{cells}</tr>'
    heads = "".join(f'<th scope="col">{text(names[voice])}</th>' for voice in voices)
    table = f"<table><thead><tr><td></td>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    return cards.card(say("judging_summary", lang), f'<div class="figures">{table}</div>')


def watched(rows: list[dict], voices: list[str], names: dict[str, str], lang: str) -> str:
    """The latest answers while more are to come."""
    begun = [(number, row) for number, row in enumerate(rows, 1) if row["answers"]]
    return _table(begun[-WATCHED:], voices, names, lang) if begun else cards.nothing()


def table(rows: list[dict], voices: list[str], names: dict[str, str], lang: str) -> str:
    """Questions and answers, with the words marked that the base did not say."""
    numbered = list(enumerate(rows, 1))
    note = ""
    if len(rows) > SHOWN:
        words = say("judging_first", lang, shown=SHOWN, total=len(rows))
        note = cards.paragraph(words, "soft")
    return _table(numbered[:SHOWN], voices, names, lang) + note


def _table(numbered: list, voices: list[str], names: dict[str, str], lang: str) -> str:
    referred = any(row["reference"] for _, row in numbered)
    columns = [say("judging_question", lang)]
    columns += [say("judging_reference", lang)] if referred else []
    columns += [names[voice] for voice in voices]
    heads = "".join(f'<th scope="col">{text(one)}</th>' for one in columns)
    body = ""
    for number, row in numbered:
        asked = f'<i class="number">{number}</i>{text(row["prompt"])}'
        cells = [asked, *([text(row["reference"])] if referred else [])]
        cells += [_answer(row["answers"], voice, voices[0], lang) for voice in voices]
        body += "<tr>" + "".join(
            f'<td data-label="{text(label)}">{cell}</td>'
            for label, cell in zip(columns, cells, strict=True)
        )
        body += "</tr>"
    return (
        f'<div class="card judged"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _answer(answers: dict[str, dict], voice: str, base: str, lang: str) -> str:
    if voice not in answers:
        return f'<span class="soft">{text(say("judging_pending", lang))}</span>'
    answer = answers[voice]
    if not answer["text"].strip():
        said = f'<span class="soft">{text(say("judging_silent", lang))}</span>'
    elif voice == base or base not in answers:
        said = text(answer["text"])
    else:
        parts = changed_parts(answer["text"], answers[base]["text"])
        said = "".join(f"<mark>{text(p)}</mark>" if new else text(p) for p, new in parts)
    facts = [say("chat_tokens", lang, tokens=answer["tokens"])]
    facts += [
        f"{say(f'judging_{name}', lang)} {figure(answer[name])}"
        for name in _OF_AN_ANSWER
        if answer.get(name) is not None and not (name == "copied" and answer[name] == 0)
    ]
    return f"<div>{said}</div><small>{text(' · '.join(facts))}</small>"
