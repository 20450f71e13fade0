"""The summary card of Train: what will be trained on what, how long, how big, whether it can."""

from pathlib import PurePath

from ui import cards, fitting
from ui.cards import number
from ui.text import say
from ui.thread import title_of


def waiting(language: str) -> str:
    words = say("train_thinking", language)
    return cards.card(say("train_summary", language), cards.waiting(words))


def starting(language: str) -> str:
    """Start was pressed; the checks and the new process take a moment."""
    return cards.waiting(say("train_starting", language))


def not_ready(values: dict, reasons: list[str], language: str) -> str:
    """The form holds something that is no configuration at all."""
    return cards.card(say("train_summary", language), _verdict(values, reasons, language))


def card(values: dict, estimate: dict, reasons: list[str], language: str) -> str:
    """`values` is the form, `estimate` what `desk.estimate` says of it."""
    figures = ""
    if estimate.get("steps"):
        full = values.get("peft_type") == "full"
        figures = cards.facts(_facts(estimate, full, language))
        figures += cards.paragraph(say("fitting_loss_note", language), "soft small")
    return cards.card(say("train_summary", language), _verdict(values, reasons, language), figures)


def _verdict(values: dict, reasons: list[str], language: str) -> str:
    """Ready, or the sentences that say why not."""
    model = PurePath(values["model_name_or_path"] or "?").name
    what = say(
        "train_what", language, model=model, data=title_of(values["dataset"], language) or "?"
    )
    state, kind = ("train_not_ready", "bad") if reasons else ("train_ready", "good")
    said = f'<span class="{kind}" id="verdict">{cards.text(say(state, language))}</span>'
    lines = "".join(cards.sentence(reason) for reason in reasons)
    return f'<p class="big">{cards.text(what)}</p><p>{said}</p>{lines}'


def _facts(estimate: dict, full: bool, language: str) -> list[tuple[str, str]]:
    rows = say(
        "train_rows_split",
        language,
        train=number(estimate["train_rows"]),
        eval=number(estimate["eval_rows"]),
    )
    batch = say(
        "train_batch_is",
        language,
        rows=number(round(estimate["effective_batch_rows"])),
        tokens=number(round(estimate["effective_batch_tokens"])),
    )
    trainable, total = estimate["trainable_parameters"], estimate["total_parameters"]
    total += 0 if full else trainable  # the adapter's own among them, as PEFT counts
    share = 100 * trainable / max(1, total)
    learns = say(
        "train_parameters_are",
        language,
        trainable=cards.millions(trainable),
        total=cards.millions(total),
        share=f"{share:.0f}" if share >= 10 else f"{share:.2g}",
    )
    seconds = estimate.get("seconds")
    time = say("train_time_unknown", language)
    if seconds is not None:
        time = cards.about(seconds).in_language(language)
    renamed = [f"{old} → {', '.join(new)}" for old, new in estimate["renamed_targets"].items()]
    targets = [(say("train_renamed", language), " · ".join(renamed))] if renamed else []
    return [
        (say("train_rows", language), rows),
        (say("train_steps", language), number(estimate["steps"])),
        (say("train_batch", language), batch),
        (say("fitting_micro_steps", language), fitting.micro_steps(estimate, language)),
        (say("train_parameters", language), learns),
        *targets,
        (say("train_time", language), time),
    ]
