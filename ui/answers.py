"""What the Chat tab shows, made from plain data: messages, the line under each, proof, suggestions.

Model and person write text, never HTML: what reaches a Chatbot has its angle brackets escaped
outside of code, what reaches a card of ours is escaped whole.
"""

import re
from html import escape
from pathlib import Path

from ui import cards
from ui.differences import changed_parts, same_words
from ui.text import both, say

# A suggestion is asked by a click; Ctrl+Enter sends, which Gradio's one-line input does not know.
ASK_BY_CLICK = """
element.addEventListener('click', (event) => {
  const hit = event.target.closest('[data-ask]');
  if (hit) trigger('click', {question: hit.dataset.ask});
});
if (!window.greenroomKeys) {
  window.greenroomKeys = true;
  document.addEventListener('keydown', (event) => {
    const sends = event.key === 'Enter' && (event.ctrlKey || event.metaKey);
    if (!sends || !event.target.closest('#chat_question')) return;
    event.preventDefault();
    document.querySelector('#chat_send')?.click();
  }, true);
}
"""
CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]+`)", re.DOTALL)
SIGNS = re.compile(r"[!-/:-@\[-`{-~]")


def messages(talk: dict, column: str, marks: bool) -> list[dict]:
    """One column's bubbles; in the tuned one the words that the base did not say are marked."""
    shown = []
    if talk["greeting"]:
        shown.append({"role": "assistant", "content": as_markdown(talk["greeting"])})
    for turn in talk["turns"]:
        shown.append({"role": "user", "content": as_markdown(turn["question"])})
        answer = turn["answers"].get(column)
        base = turn["answers"].get("base")
        if answer is None or not (answer["text"] or answer["done"]):
            continue
        both_done = answer["done"] and base and base["done"]
        if marks and column == "tuned" and both_done and "```" not in answer["text"]:
            content = marked(answer["text"], base["text"])
        else:
            content = as_markdown(answer["text"])
        shown.append({"role": "assistant", "content": content or "…"})
    return shown


def as_markdown(text: str) -> str:
    """Markdown stays, tags do not: outside of code every angle bracket and ampersand is escaped."""
    pieces = CODE.split(text)
    pieces[::2] = [escape(piece, quote=False) for piece in pieces[::2]]
    return "".join(pieces)


def as_plain(text: str) -> str:
    """Text exactly as it is, whatever signs it holds, for a place that renders Markdown."""
    literal = SIGNS.sub(lambda sign: f"&#{ord(sign.group())};", text)
    return re.sub(r"(?m)^ +| {2,}", lambda gap: "&nbsp;" * len(gap.group()), literal)


def marked(text: str, base: str) -> str:
    """The text with the words marked that the base did not say."""
    return "".join(
        "\n".join(f"<mark>{as_plain(line)}</mark>" if line else "" for line in part.split("\n"))
        if changed
        else as_plain(part)
        for part, changed in changed_parts(text, base)
    )


def line(turn: dict, column: str, lang: str) -> str:
    """Under a column: how fast it spoke, whether in the base's words, and the proof to fold out."""
    answer = turn["answers"].get(column)
    if answer is None:
        return _waiting(say("chat_reading", lang))
    if not answer["done"]:
        key = "chat_writing" if answer["tokens"] else "chat_reading"
        return _waiting(say(key, lang, tokens=answer["tokens"]))
    parts = [
        say("chat_speed", lang, speed=_speed(answer["tokens_per_second"])),
        say("chat_tokens", lang, tokens=answer["tokens"]),
        *_ending(answer, lang),
    ]
    base = turn["answers"].get("base")
    verdict = ""
    if column == "tuned" and base and base["done"]:
        same = same_words(answer["text"], base["text"])
        words = say("chat_same" if same else "chat_differs", lang)
        verdict = f' · <b class="{"same" if same else "differs"}">{escape(words)}</b>'
    return (
        f'<details class="said"><summary>{escape(" · ".join(parts))}{verdict} · '
        f"<u>{escape(say('chat_proof', lang))}</u></summary>{_proof(turn, column, lang)}</details>"
    )


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


def _proof(turn: dict, column: str, lang: str) -> str:
    answer, base = turn["answers"][column], turn["answers"].get("base")
    sampling = " · ".join(f"{name} {value:g}" for name, value in turn["sampling"].items())
    rows = [
        ("chat_proof_prompt_tokens", say("chat_tokens", lang, tokens=answer["prompt_tokens"])),
        ("chat_proof_checksum", answer["checksum"]),
        ("chat_seed", f"{turn['sampling']['seed']:g}"),
        ("chat_proof_sampling", sampling),
    ]
    listed = "".join(
        f"<dt>{escape(say(key, lang))}</dt><dd>{escape(str(value))}</dd>" for key, value in rows
    )
    compared = ""
    if column == "tuned" and base:
        same = base["prompt"] == answer["prompt"]
        key = "chat_proof_same_prompt" if same else "chat_proof_other_prompt"
        compared = f"<p>{escape(say(key, lang))}</p>"
    return (
        f'<div class="card proof"><dl>{listed}</dl>{compared}'
        f"<h3>{escape(say('chat_proof_text', lang))}</h3>"
        f"<pre>{escape(answer['prompt'])}</pre></div>"
    )


def _waiting(words: str) -> str:
    return f'<p class="said">{cards.waiting(words)}</p>'


def loading(what: str, lang: str) -> str:
    return cards.waiting(say("chat_loading", lang, what=what))


def loaded(status: dict | None, names: list[str], lang: str) -> str:
    """What is in memory, how much of it and in which precision, the reason in a tooltip."""
    if not status:
        return cards.paragraph(say("chat_not_loaded", lang), "soft")
    words = say(
        "chat_loaded",
        lang,
        what=" + ".join([Path(status["model"]).name, *names]),
        gib=_gib(status["footprint_gib"]),
        precision=status["precision"],
        device=status["device"],
    )
    reason = both(status["dtype_reason"]).in_language(lang)
    note = status.get("template_note")
    more = cards.paragraph(both(note).in_language(lang), "soft") if note else ""
    return f'<p class="soft" title="{escape(reason)}">{escape(words)}</p>{more}'


def _gib(amount: float) -> str:
    return f"{amount:.3f}" if amount < 0.1 else f"{amount:.2f}"


def chips(questions: list[str], lang: str) -> str:
    """Suggested questions as buttons."""
    if not questions:
        return cards.nothing()
    buttons = "".join(
        f'<button type="button" data-ask="{escape(one)}">{escape(one)}</button>'
        for one in questions
    )
    return f'<div class="chips"><span>{escape(say("chat_try", lang))}</span>{buttons}</div>'


def invitation(words: str) -> str:
    """What an empty column shows: what to do."""
    return as_plain(words)
