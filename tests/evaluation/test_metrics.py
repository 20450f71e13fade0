"""The metrics: each equals its library's own value, and what cannot be compared is a sentence."""

import subprocess
import sys

import jieba
import pytest
import sacrebleu
from rouge_score import rouge_scorer

from engine.errors import UserError
from engine.evaluation import metrics
from engine.evaluation.words import words_of

ENGLISH = (
    ["The lamp is lit, my dear.", "No fog tonight; the kettle is warm."],
    ["The lamp is lit and warm, my dear.", "There is no fog tonight, my dear."],
)
CHINESE = (
    ["奴婢昨日在藏书阁抄写经书。", "贵人安好，今日天气晴朗。"],
    ["奴婢昨日在书房抄写了经书。", "贵人安好，今日可要出门？"],
)


def scores(tokenizer=None):
    return rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=tokenizer)


class Jieba:
    """Words as jieba's own cut gives them, signs left out."""

    def tokenize(self, text):
        return [one for one in jieba.lcut(text.lower()) if one not in "，。？"]


@pytest.mark.parametrize(
    ("pairs", "tokenize", "tokenizer"),
    [(ENGLISH, "13a", None), (CHINESE, "zh", Jieba())],
    ids=["english", "chinese"],
)
def test_the_values_are_those_of_the_libraries(pairs, tokenize, tokenizer):
    """Of the corpus and of each pair; English ROUGE with rouge-score's own words."""
    answers, references = pairs
    rouge = [scores(tokenizer).score(r, a) for a, r in zip(*pairs, strict=True)]
    assert metrics.of_all(answers, references) == {
        "bleu": sacrebleu.corpus_bleu(answers, [references], tokenize=tokenize).score,
        **{n: (rouge[0][n].fmeasure + rouge[1][n].fmeasure) / 2 for n in metrics.ROUGES},
        "chrf": sacrebleu.corpus_chrf(answers, [references]).score,
    }
    assert metrics.of_each(answers, references) == [
        {
            "bleu": sacrebleu.sentence_bleu(a, [r], tokenize=tokenize).score,
            **{n: rouge[at][n].fmeasure for n in metrics.ROUGES},
            "chrf": sacrebleu.sentence_chrf(a, [r]).score,
        }
        for at, (a, r) in enumerate(zip(*pairs, strict=True))
    ]


def test_fixed_values():
    """Numbers that stand here, so that a change of a library is seen."""
    found = metrics.of_all(*ENGLISH)
    assert {name: round(value, 4) for name, value in found.items()} == {
        "bleu": 32.7552,
        "rouge1": 0.7143,
        "rouge2": 0.5,
        "rougeL": 0.6429,
        "chrf": 53.2346,
    }
    same = metrics.of_all(CHINESE[1], CHINESE[1])
    assert {name: round(value, 4) for name, value in same.items()} == {
        **{"bleu": 100.0, "chrf": 100.0},
        **dict.fromkeys(metrics.ROUGES, 1.0),
    }
    assert set(metrics.of_all(["Wow"], ["The lamp"]).values()) == {0.0}


def test_words_of_both_languages():
    assert words_of("The Lamp's lit; 3 gulls.") == ["the", "lamp", "s", "lit", "3", "gulls"]
    assert words_of("我今天去公园，Hello！") == ["我", "今天", "去", "公园", "hello"]


def test_what_cannot_be_compared_is_a_sentence():
    for answers, references, sentence in (
        ([], [], "There are no reference answers"),
        (["a", "b"], ["c"], "2 answers cannot be compared with 1 references"),
        (["a", "b"], ["c", " "], "The reference of answer 2 is empty"),
    ):
        for measure in (metrics.of_all, metrics.of_each):
            with pytest.raises(UserError, match=sentence):
                measure(answers, references)


def test_an_empty_answer_is_none_of_it():
    assert set(metrics.of_each([""], ["The lamp is lit."])[0].values()) == {0.0}


def test_nothing_is_imported_before_it_is_needed():
    """The chat process must not wait for what only an evaluation asks."""
    code = "import sys, engine.evaluation.metrics, engine.evaluation.copied; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"sacrebleu", "rouge_score", "jieba", "nltk", "torch"} & set(done.stdout.split())
