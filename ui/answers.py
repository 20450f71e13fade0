"""What the Chat tab shows, made from plain data: messages, what is loaded, suggestions.

Model and person write text, never HTML: what reaches a Chatbot has its angle brackets escaped
outside of code, what reaches a card of ours is escaped whole.
"""

import re
from html import escape
from pathlib import Path

from ui import cards, proof
from ui.cast import name_of
from ui.conversation import order, tuned
from ui.differences import changed_parts
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


def messages(talk: dict, column: int, marks: bool, lang: str) -> list[dict]:
    """One column's bubbles; the words that the base did not say are marked. A turn that was asked
    blind says whose words they are, once that may be known."""
    shown = []
    if talk["greeting"]:
        shown.append({"role": "assistant", "content": as_markdown(talk["greeting"])})
    for turn in talk["turns"]:
        shown.append({"role": "user", "content": as_markdown(turn["question"])})
        voice = order(turn, talk["voices"])[column]
        answer = turn["answers"].get(voice)
        if answer is None or not (answer["text"] or answer["done"]):
            continue
        base = None if turn.get("hidden") else proof.base_beside(turn, voice)
        if marks and answer["done"] and base and "```" not in answer["text"]:
            content = marked(answer["text"], base["text"])
        else:
            content = as_markdown(answer["text"])
        who = _whose(turn, voice, lang)
        shown.append({"role": "assistant", "content": who + (content or "…")})
    return shown


def _whose(turn: dict, voice: str, lang: str) -> str:
    if "order" not in turn or turn["hidden"]:
        return ""
    name = f"**{as_plain(name_of(voice, lang))}**"
    if turn.get("vote") == voice:
        name += f" · {say('blind_better', lang)}"
    return f"{name}\n\n"


def as_markdown(text: str) -> str:
    """Markdown stays, tags do not: outside of code every angle bracket and ampersand is escaped."""
    pieces = CODE.split(text)
    pieces[::2] = [escape(piece, quote=False) for piece in pieces[::2]]
    return "".join(pieces)


def as_plain(text: str, inside: bool = False) -> str:
    """Text exactly as it is, whatever signs it holds, for a place that renders Markdown; `inside`
    says that it goes on a line that has begun."""
    literal = SIGNS.sub(lambda sign: f"&#{ord(sign.group())};", text)
    kept = r"(?<=\n) +| {2,}" if inside else r"(?m)^ +| {2,}"
    return re.sub(kept, lambda gap: "&nbsp;" * len(gap.group()), literal)


def marked(text: str, base: str) -> str:
    """The text with the words marked that the base did not say."""
    shown, inside = [], False
    for part, changed in changed_parts(text, base):
        plain = as_plain(part, inside)
        shown.append(f"<mark>{plain}</mark>" if changed else plain)
        inside = not part.endswith("\n")
    return "".join(shown)


def loading(words: str) -> str:
    return cards.waiting(words)


def loaded(status: dict | None, lang: str) -> str:
    """What is in memory, how much of it and in which precision, the reason in a tooltip; and
    whether the base is still itself."""
    if not status:
        return cards.paragraph(say("chat_not_loaded", lang), "soft")
    names = [name_of(voice, lang) for voice in tuned(status["voices"])]
    words = say(
        "chat_loaded",
        lang,
        what=" + ".join([Path(status["model"]).name, *names]),
        gib=_gib(status["footprint_gib"]),
        precision=status["precision"],
        device=status["device"],
    )
    reason = both(status["dtype_reason"]).in_language(lang)
    notes = [status.get("template_note"), *status.get("notes", ())]
    more = "".join(cards.paragraph(both(n).in_language(lang), "soft") for n in notes if n)
    checked = _base_check(status.get("base_check"), lang)
    return f'<p class="soft" title="{escape(reason)}">{escape(words)}</p>{checked}{more}'


def _base_check(check: dict | None, lang: str) -> str:
    if not check:
        return ""
    if check["same"]:
        return cards.paragraph(say("proof_base_same", lang), "soft")
    words = say("proof_base_differs", lang, difference=f"{check['difference']:.2g}")
    return cards.sentence(words, "mild")


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
