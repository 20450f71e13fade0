"""Watch it learn: a fixed question's answer at each step beside the base's, on one line of time.

All answers are sent at once and stand in one place; the script shows one of them.
"""

from engine.training.answers import Asked, asked
from engine.training.runs import Run
from ui import cards
from ui.differences import changed_parts
from ui.text import say

MOST_STEPS = 40
# What was chosen outlives the next drawing; whoever stands at the end stays with the newest.
FOLLOW = """
const chosen = {run: null, question: 0, at: null};
let playing = null;
const show = () => {
  const box = element.querySelector('.timeline');
  if (!box) return;
  if (chosen.run !== box.dataset.run) {
    Object.assign(chosen, {run: box.dataset.run, question: 0, at: null});
    halt();
  }
  const questions = [...box.querySelectorAll('[data-question]')];
  chosen.question = Math.min(chosen.question, Math.max(0, questions.length - 1));
  questions.forEach((one, i) => one.setAttribute('aria-pressed', i === chosen.question));
  const range = box.querySelector('input');
  const at = Math.min(chosen.at ?? Infinity, Number(range.max));
  range.value = at;
  box.querySelectorAll('.answer').forEach((one) => {
    const here = Number(one.dataset.of) === chosen.question && Number(one.dataset.at) === at;
    one.classList.toggle('shown', here);
    if (!here) return;
    range.setAttribute('aria-valuetext', one.dataset.label);
    const said = box.querySelector('output');
    if (said.textContent !== one.dataset.label) said.textContent = one.dataset.label;
  });
  const play = box.querySelector('[data-play]');
  play.setAttribute('aria-pressed', playing !== null);
};
const go = (at) => {
  const last = Number(element.querySelector('.timeline input').max);
  chosen.at = at >= last ? null : at;
  show();
};
const halt = () => { clearInterval(playing); playing = null; };
element.addEventListener('input', (event) => { halt(); go(Number(event.target.value)); });
element.addEventListener('click', (event) => {
  const question = event.target.closest('[data-question]');
  if (question) { chosen.question = Number(question.dataset.question); show(); }
  if (!event.target.closest('[data-play]')) return;
  if (playing !== null) { halt(); show(); return; }
  playing = setInterval(() => {
    const range = element.querySelector('.timeline input');
    if (!range || chosen.at === null) { halt(); show(); return; }
    go(chosen.at + 1);
  }, 900);
  go(0);
});
new MutationObserver(show).observe(element, {childList: true, subtree: true});
show();
"""


def html(run: Run, language: str) -> str:
    """Without an answer yet: why there is none."""
    title, questions = say("train_answers", language), asked(run.samples())
    if not questions:
        wanted = run.config.sample_prompts.strip()
        words = say("train_answers_none" if wanted else "train_no_questions", language)
        return cards.card(title, cards.paragraph(words, "soft"))
    steps = _thinned(sorted({step for one in questions for step in one.answers}))
    panes = "".join(
        _pane(one, number, at, steps, language)
        for number, one in enumerate(questions)
        for at in range(len(steps))
    )
    chips = "".join(
        f'<button type="button" data-question="{number}" '
        f'aria-pressed="{str(number == 0).lower()}">{cards.text(one.prompt)}</button>'
        for number, one in enumerate(questions)
    )
    return (
        f'<div class="card timeline" data-run="{cards.text(run.id)}">'
        f"<h3>{cards.text(title)}</h3>"
        f'<div class="questions">{chips}</div>{_line(steps, language)}'
        f'<div class="answers-of">{panes}</div></div>'
    )


def _thinned(steps: list[int]) -> list[int]:
    """At most MOST_STEPS, the first and the last among them."""
    if len(steps) <= MOST_STEPS:
        return steps
    return [steps[round(i * (len(steps) - 1) / (MOST_STEPS - 1))] for i in range(MOST_STEPS)]


def _line(steps: list[int], language: str) -> str:
    last = len(steps) - 1
    now = cards.text(say("train_at_step", language, step=steps[-1]))
    dots = "<i></i>" * len(steps)
    return (
        '<div class="along"><button type="button" data-play aria-pressed="false" '
        f'aria-label="{cards.text(say("timeline_play", language))}"></button>'
        f'<div class="track"><div class="dots" aria-hidden="true">{dots}</div>'
        f'<input type="range" min="0" max="{last}" value="{last}" '
        f'aria-label="{cards.text(say("timeline_step", language))}" aria-valuetext="{now}"/></div>'
        f"<output>{now}</output></div>"
    )


def _pane(one: Asked, number: int, at: int, steps: list[int], language: str) -> str:
    """What was said by then: a question that was not asked at this step keeps its answer."""
    by_then = [step for step in one.answers if step <= steps[at]]
    label = say("train_at_step", language, step=steps[at])
    left, words = one.base, say("learned_base", language)
    if left is None:  # not called the base's: it was not heard
        first = min(one.answers)
        left, words = one.answers[first], say("train_at_step", language, step=first)
    tuned = _marked(one.answers[max(by_then)], left) if by_then else ""
    shown = " shown" if (number, at) == (0, len(steps) - 1) else ""
    return (
        f'<div class="answer{shown}" data-of="{number}" data-at="{at}" '
        f'data-label="{cards.text(label)}">'
        f'<div class="voice"><b>{cards.text(words)}</b><p>{cards.text(left) or "…"}</p></div>'
        f'<div class="voice tuned"><b>{cards.text(label)}</b><p>{tuned or "…"}</p></div></div>'
    )


def _marked(text: str, base: str) -> str:
    """The words that stand not on the left are marked."""
    return "".join(
        f"<mark>{cards.text(part)}</mark>" if changed else cards.text(part)
        for part, changed in changed_parts(text, base)
    )
