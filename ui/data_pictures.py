"""Lengths drawn: small bar charts as HTML, each with a sentence for those who cannot see it."""

from ui import cards
from ui.cards import number
from ui.text import say


def lengths(facts: dict, max_length: int, language: str) -> str:
    """Tokens a row with `max_length` drawn in it, trained tokens, answers a conversation, packing.

    `facts` is a report of `desk.inspect`."""
    drawn = facts["pictures"]
    tokens = _steps(drawn["tokens"], max_length)
    trained = _steps(drawn["trained"])
    turns = [(str(count), rows, False) for count, rows in drawn["turns"][:12]]
    title = say("data_chart_tokens", language)
    if any(cut for _, _, cut in tokens):
        title = say("data_chart_cut", language, length=number(max_length))
    charts = (
        _chart(title, tokens, language),
        _chart(say("data_chart_trained", language), trained, language),
        _chart(say("data_chart_turns", language), turns, language),
    )
    pack = drawn["packing"]
    said = say(
        "data_packing",
        language,
        rows=number(pack["rows"]),
        packs=number(pack["packs"]),
        length=number(max_length),
        filled=f"{100 * pack['filled']:.0f}",
    )
    return cards.card("", f'<div class="charts">{"".join(charts)}</div>', cards.paragraph(said))


def _steps(bars: dict, cut_at: int | None = None) -> list[tuple[str, int, bool]]:
    """(from how many tokens, rows, whether such rows are cut) a bar, without empty ends. The last
    takes all above, and says so where there is any."""
    width, counts = bars["width"], bars["counts"]
    ends = [(i + 1) * width for i in range(len(counts))]
    plus = "+" if bars["most"] >= ends[-1] else ""
    ends[-1] = bars["most"] + 1
    starts = [number(i * width) for i in range(len(counts))]
    starts[-1] += plus
    return [
        (start, rows, cut_at is not None and end > cut_at + 1)
        for start, rows, end in zip(starts, counts, ends, strict=True)
    ]


def _chart(title: str, bars: list[tuple[str, int, bool]], language: str) -> str:
    most = max((rows for _, rows, _ in bars), default=0) or 1
    pieces = "".join(_bar(bar, most, language) for bar in bars)
    ends = "".join(f"<span>{start}</span>" for start, _, _ in dict.fromkeys([bars[0], bars[-1]]))
    highest = max(bars, key=lambda bar: bar[1], default=("0", 0, False))
    words = f"{title}: {say('data_bar', language, start=highest[0], rows=number(highest[1]))}"
    return (
        f'<figure><figcaption>{cards.text(title)}</figcaption><div class="bars" role="img"'
        f' aria-label="{cards.text(words)}">{pieces}</div><div class="ends">{ends}</div></figure>'
    )


def _bar(bar: tuple[str, int, bool], most: int, language: str) -> str:
    """One row in thousands is seen, too."""
    start, rows, cut = bar
    height = max(2 if rows else 0, 100 * rows / most)
    words = say("data_bar", language, start=start, rows=number(rows))
    kind = "cut" if cut else ""
    return f'<i class="{kind}" style="height:{height:.1f}%" title="{cards.text(words)}"></i>'
