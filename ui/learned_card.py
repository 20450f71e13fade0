"""Did it learn? The verdict first, base and adapter drawn against each other, then the findings."""

from pathlib import Path

from engine.evaluation import verdict
from engine.evaluation.findings import findings
from engine.training.runs import Run
from ui import cards
from ui.text import say

CSS = Path(__file__).with_name("learned.css").read_text(encoding="utf-8")
GOOD = ("learned", "learned_known", "learned_doubles")


def html(run: Run, language: str) -> str:
    """Empty until it is measured."""
    card = verdict.read(run.path, run.step)
    if not card:
        return cards.nothing()
    kind = "good" if card.get("verdict") in GOOD else "mixed"
    headline = cards.text(verdict.headline(card).in_language(language))
    pairs = "".join(
        _pair(words.in_language(language), losses, _widest(card), language)
        for words, losses in verdict.measured(card)
    )
    drawn = ""
    if pairs:
        note = cards.paragraph(say("learned_loss_help", language), "soft small")
        drawn = f'<div class="measured">{pairs}</div>{note}'
    found = [one.in_language(language) for one in findings(card)]
    return cards.card(
        say("learned_title", language),
        f'<p class="verdict {kind}">{headline}</p>{drawn}',
        cards.bullets(found) if found else "",
        kind="learned-card",
    )


def _widest(card: dict) -> float:
    """All bars share one scale."""
    values = [
        v for _, losses in verdict.measured(card) for v in (losses["base"], losses["adapter"])
    ]
    return max(value for value in values if value is not None) or 1.0


def _pair(words: str, losses: dict, widest: float, language: str) -> str:
    bars = ""
    for voice in ("base", "adapter"):
        value, name = losses[voice], cards.text(say(f"learned_{voice}", language))
        if value is None:
            said = cards.text(say("learned_not_measured", language))
            bars += f'<span class="who">{name}</span><span class="soft">{said}</span>'
        else:
            bars += (
                f'<span class="who">{name}</span><span class="strip"><i class="{voice}" '
                f'style="width:{100 * value / widest:.1f}%"></i><b>{value:.2f}</b></span>'
            )
    return f'<div class="pair"><h4>{cards.text(words)}</h4><div>{bars}</div></div>'
