"""How near answers come to their references: BLEU and chrF by sacreBLEU, ROUGE by rouge-score.

Every figure is on its library's own scale: BLEU and chrF 0 to 100, ROUGE (F1) 0 to 1. BLEU is the
established one of sacreBLEU: tokenised by 13a, and by its zh, character by character, where a
reference is Chinese. ROUGE counts the words of `words_of`.
"""

from typing import TYPE_CHECKING

from engine.errors import UserError
from engine.evaluation.words import is_chinese, words_of

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

ROUGES = ("rouge1", "rouge2", "rougeL")
NAMES = ("bleu", *ROUGES, "chrf")
# All that is told of a voice, in this order.
FIGURES = ("tokens", *NAMES, "loss", "perplexity", "copied")


class _Words:
    """What rouge-score asks of a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return words_of(text)


def of_each(answers: list[str], references: list[str]) -> list[dict[str, float]]:
    """{name: value} of each pair. A single sentence's BLEU counts only the orders of n-grams that
    it is long enough for (sacreBLEU's `effective_order`). Raises UserError."""
    from sacrebleu.metrics import BLEU, CHRF

    _check(answers, references)
    rouge, chrf = _rouge(), CHRF()
    found = []
    for answer, reference in zip(answers, references, strict=True):
        bleu = BLEU(tokenize=_tokenize([reference]), effective_order=True)
        scores = rouge.score(reference, answer)
        found.append(
            {
                "bleu": bleu.sentence_score(answer, [reference]).score,
                **{name: scores[name].fmeasure for name in ROUGES},
                "chrf": chrf.sentence_score(answer, [reference]).score,
            }
        )
    return found


def of_all(answers: list[str], references: list[str]) -> dict[str, float]:
    """{name: value} of the whole list: BLEU and chrF of the corpus, ROUGE as the mean of its pairs.
    Raises UserError."""
    from sacrebleu.metrics import BLEU, CHRF

    _check(answers, references)
    rouge = _rouge()
    pairs = zip(references, answers, strict=True)
    scores = [rouge.score(reference, answer) for reference, answer in pairs]
    bleu = BLEU(tokenize=_tokenize(references)).corpus_score(answers, [references])
    return {
        "bleu": bleu.score,
        **{name: sum(one[name].fmeasure for one in scores) / len(scores) for name in ROUGES},
        "chrf": CHRF().corpus_score(answers, [references]).score,
    }


def _tokenize(references: list[str]) -> str:
    return "zh" if any(is_chinese(one) for one in references) else "13a"


def _rouge() -> "RougeScorer":
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGES), tokenizer=_Words())


def _check(answers: list[str], references: list[str]) -> None:
    if not references:
        raise UserError(
            "There are no reference answers to compare with; take questions from a dataset, whose "
            "last answers are the references.",
            "没有可以对比的参考答案；请从数据集中取问题，每段对话最后的回答就是参考答案。",
        )
    if len(answers) != len(references):
        raise UserError(
            f"{len(answers)} answers cannot be compared with {len(references)} references; give "
            "one reference for each answer.",
            f"{len(answers)} 个回答与 {len(references)} 个参考答案对不上；请让它们一一对应。",
        )
    empty = [number for number, one in enumerate(references, 1) if not one.strip()]
    if empty:
        raise UserError(
            f"The reference of answer {empty[0]} is empty; write one, or leave that question out.",
            f"第 {empty[0]} 个回答的参考答案是空的；请补上，或去掉这个问题。",
        )
