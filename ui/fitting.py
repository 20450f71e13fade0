"""Memory on the Train tab as HTML: parts against a card, a ladder to click, what was measured.

Knows no component; `engine.training.fitting` and `.probe` made what is drawn here.
"""

import json
from pathlib import Path

from ui import cards
from ui.cards import gib, number
from ui.text import both, say

CSS = Path(__file__).with_name("fitting.css").read_text(encoding="utf-8")
# In the engine's order: what lies there all the time, what comes and goes with a micro-step.
PART_COLOURS = {
    "weights": "var(--g-accent)",
    "adapter": "var(--g-mid)",
    "gradients": "#8d9a3c",
    "optimizer": "var(--g-pale)",
    "activations": "var(--g-amber)",
    "loss_head": "#b5673c",
    "workspace": "#7c8aa0",
    "runtime": "var(--g-others)",
}
# A rung tells Python its values; a ladder stays open, and keeps the focus, when it is drawn anew.
CHOOSE_BY_CLICK = """
let open = null, chosen = false;
element.addEventListener('click', (event) => {
  const rung = event.target.closest('[data-rung]');
  if (!rung) return;
  chosen = true;
  trigger('click', {values: JSON.parse(rung.dataset.rung)});
});
element.addEventListener('toggle', (event) => { open = event.target.open; }, true);
new MutationObserver(() => {
  const ladder = element.querySelector('details');
  if (!ladder) return;
  if (open !== null && ladder.open !== open) ladder.open = open;
  if (chosen) ladder.querySelector('summary').focus();
  chosen = false;
}).observe(element, {childList: true, subtree: true});
"""


def here(estimate: dict, language: str) -> str:
    """The predicted parts against this machine's memory, and what would make them smaller."""
    if not estimate.get("peak_gib"):
        return cards.nothing()
    title = say(
        "fitting_predicted",
        language,
        peak=gib(estimate["peak_gib"]),
        total=gib(estimate["device_gib"]),
        device=estimate["device"],
    )
    return cards.card(title, _drawn(estimate, title, language), _ladder(estimate, language))


def plan(estimate: dict, language: str) -> str:
    """The same for the card that one plans for, told apart from this machine."""
    planned = estimate.get("plan")
    if not planned:
        return cards.nothing()
    title = say("fitting_plan", language, size=f"{planned['device_gib']:g}")
    fits = planned["fits"]
    verdict = say(
        "fitting_plan_fits" if fits else "fitting_plan_too_large",
        language,
        peak=gib(planned["peak_gib"]),
    )
    cut = say("fitting_plan_cut", language, cut=micro_steps(planned, language))
    return cards.card(
        title,
        cards.paragraph(verdict, "good" if fits else "bad"),
        _drawn(planned, verdict, language),
        cards.paragraph(cut, "small"),
        cards.paragraph(say("fitting_plan_note", language), "soft small"),
        _ladder(planned, language),
        kind="plan",
    )


def measuring(look: dict, language: str) -> str:
    """How far a measurement is."""
    doing = say("fitting_measure_begins", language)
    if "doing" in look:
        doing = both(look["doing"]).in_language(language)
    words = say("fitting_measuring", language, doing=doing)
    bar = cards.bar([(look["share"], "var(--g-accent)")], 1.0, words)
    return cards.card("", cards.waiting(words), f"<p>{bar}</p>")


def measured(found: dict, language: str) -> str:
    """What a real step took, beside what was predicted."""
    facts = []
    for tokens, peak in zip(found["tokens"], found["peak_gib"], strict=True):
        name = say("fitting_at_tokens", language, tokens=number(tokens))
        facts.append((name, say("fitting_gib", language, peak=gib(peak))))
    title, note = say("fitting_measured_part", language), ""
    if found["note"]:
        note = cards.sentence(both(found["note"]).in_language(language), "mild")
    else:
        more = say("fitting_gib", language, peak=gib(found["gib_per_1000_tokens"]))
        percent = round(100 * found["error"])
        error = say(
            "fitting_error_high" if percent >= 0 else "fitting_error_low",
            language,
            peak=gib(found["predicted_gib"]),
            percent=abs(percent),
        )
        title = say("fitting_measured", language, peak=gib(found["peak_gib_at_capacity"]))
        facts += [
            (say("fitting_per_1000", language), more),
            (say("fitting_foretold", language), error),
        ]
    what = cards.paragraph(both(found["what"]).in_language(language), "soft small")
    return cards.card(title, note, cards.facts(facts), what)


def micro_steps(estimate: dict, language: str) -> str:
    """Into how many pieces a step is cut, and how large they are."""
    count, tokens = estimate["micro_steps"], number(estimate["micro_step_tokens"])
    if count == 1:
        return say("fitting_one_micro_step", language, tokens=tokens)
    return say("fitting_some_micro_steps", language, count=number(count), tokens=tokens)


def _drawn(estimate: dict, label: str, language: str) -> str:
    """Bar and legend; where the parts are more than the card holds, a line says how far it goes."""
    parts = [(name, size) for name, size in estimate["parts"].items() if size >= 0.005]
    total, peak = estimate["device_gib"], estimate["peak_gib"]
    bar = cards.bar([(size, PART_COLOURS[name]) for name, size in parts], max(total, peak), label)
    if peak > total:
        bar = f'<div class="over" style="--limit:{100 * total / peak:.2f}%">{bar}</div>'
    entries = [
        (f"{say(f'fitting_part_{name}', language)} {gib(size)}", name) for name, size in parts
    ]
    return bar + cards.legend([(words, PART_COLOURS[name]) for words, name in entries])


def _ladder(estimate: dict, language: str) -> str:
    """Each change a button: open where something has to be done, else folded."""
    if not estimate["ladder"]:
        return ""
    fits = estimate["fits"]
    title = say("fitting_use_less" if fits else "fitting_to_fit", language)
    rungs = "".join(_rung(one, not fits, language) for one in estimate["ladder"])
    return (
        f'<details class="ladder"{"" if fits else " open"}><summary>{cards.text(title)}</summary>'
        f"{cards.paragraph(say('fitting_one_click', language), 'soft small')}{rungs}</details>"
    )


def _rung(one: dict, judged: bool, language: str) -> str:
    """`judged`: said whether it fits, which goes without saying where everything does."""
    said = [
        ("what", both(one["change"]).in_language(language)),
        ("peak", say("fitting_gib", language, peak=gib(one["peak_gib"]))),
        ("cost", _cost(one["time"], language)),
    ]
    if judged:
        mark = "fitting_fits" if one["fits"] else "fitting_too_large"
        said.append(("verdict good" if one["fits"] else "verdict", say(mark, language)))
    pieces = "".join(f'<span class="{kind}">{cards.text(words)}</span>' for kind, words in said)
    values = cards.text(json.dumps(one["values"]))
    return f'<button type="button" class="rung" data-rung="{values}">{pieces}</button>'


def _cost(time: float, language: str) -> str:
    """How many times as long, in words: 1.4 -> +40 % time."""
    percent = round(100 * (time - 1))
    if not percent:
        return say("fitting_same_time", language)
    key = "fitting_slower" if percent > 0 else "fitting_faster"
    return say(key, language, percent=abs(percent))
