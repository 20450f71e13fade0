"""`python -m engine evaluate` on a dataset: the table, the JSON document, the file."""

import json
from unittest import mock

import pytest

from engine.__main__ import main
from engine.characters import shelf
from engine.characters.card import character
from engine.chat.sampling import DEFAULTS


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, make_adapter):
    return make_adapter(tmp_path_factory.mktemp("run") / "adapter", 1)


def test_the_table_the_document_and_the_file(adapter, small_dataset, tmp_path, capfd):
    """The base is found from the adapter's card; the same seed asks the same rows."""
    out = tmp_path / "rows.csv"
    arguments = ["evaluate", "--adapter", adapter, "--dataset", small_dataset, "--limit", "2"]
    arguments += ["--instruction", "Say it:", "--max_new_tokens", "4", "--seed", "3"]
    assert main([str(one) for one in [*arguments, "--json", "--out", out]]) == 0
    report = json.loads(capfd.readouterr().out)
    assert (report["voices"], len(report["rows"])) == (["base", "adapter"], 2)
    assert report["settings"]["max_new_tokens"] == 4
    assert report["settings"]["temperature"] == 0
    assert all(row["messages"][-1]["content"].startswith("Say it:\n") for row in report["rows"])
    figures = report["summary"]["adapter"]
    assert {name for name, value in figures.items() if value is None} == {"copied"}
    assert len(out.read_text(encoding="utf-8-sig").splitlines()) == 3
    assert main([str(one) for one in arguments]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "|  | base | adapter |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        *("| answers", "| references", "| tokens", "| bleu", "| rouge1", "| rouge2", "| rougeL"),
        *("| chrf", "| loss", "| perplexity"),
    ]
    assert f"| perplexity | {report['summary']['base']['perplexity']:.4g} |" in lines[-1]


def test_a_character_brings_its_sampling(tiny_model_folder, small_dataset, capfd):
    """As in `chat`; what is asked for on the command line counts."""
    card = shelf.save(character("", {"name": "Tom", "sampling": {"top_k": 3, "temperature": 0.7}}))
    asked = ["evaluate", "--dataset", small_dataset, "--limit", "1", "--max_new_tokens", "2"]
    asked += ["--model", tiny_model_folder, "--character", card.id, "--top-k", "5", "--json"]
    assert main([str(one) for one in asked]) == 0
    settings = json.loads(capfd.readouterr().out)["settings"]
    own = {"top_k": 5, "temperature": 0.7, "max_new_tokens": 2}
    assert settings == DEFAULTS | own


def test_an_exam_is_written_as_one_reads_it(adapter, capfd):
    """Each question with what both say to it, then the shares; --json is the whole document."""
    answers = [{"question": "Who are you?", "base": "A model.", "mara": "The keeper."}]
    shares = {"base_in_character": 0.0, "adapter_in_character": 0.9667}
    report = {"character": "c", "questions": 30} | shares | {"answers": answers}
    asked = ["evaluate", "--adapter", str(adapter), "--character", "lighthouse-keeper"]
    with mock.patch("engine.evaluation.character.examine", return_value=report):
        assert (main(asked), main([*asked, "--json"])) == (0, 0)
    *said, document = capfd.readouterr().out.splitlines()
    assert said == [
        *("Who are you?", "  base: A model.", "  mara: The keeper."),
        "In character, of 30 questions: base 0%, adapter 97%.",
    ]
    assert json.loads(document) == report


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "Say what to evaluate on: --dataset"),
        (["--character", "lighthouse-keeper"], "--character with one --adapter"),
        (
            ["--adapter", "a", "--character", "lighthouse-keeper", "--out", "a.csv", "--seed", "0"],
            "leave out --out, --seed, or add --dataset",
        ),
        (
            ["--adapter", "a", "--character", "lighthouse-keeper", "--system-prompt", ""],
            "leave out --system-prompt, or add --dataset",
        ),
        (["--dataset", "nowhere.json"], "There is no dataset 'nowhere.json'"),
        (["--dataset", "lighthouse-keeper", "--limit", "0"], "0 questions cannot be asked"),
        (["--dataset", "lighthouse-keeper", "--out", "rows.txt"], "'rows.txt' does not say what"),
        (
            ["--dataset", "lighthouse-keeper", "--out", "/nowhere/rows.csv"],
            "/nowhere/rows.csv cannot be written (there is no folder /nowhere)",
        ),
        (["--dataset", "lighthouse-keeper", "--top_p", "0"], "top_p is 0.0"),
        (["--dataset", "lighthouse-keeper", "--adapter", "no-such"], "There is no run"),
    ],
)
def test_mistakes_are_sentences_before_anything_is_loaded(capfd, arguments, sentence):
    assert main(["evaluate", *arguments]) == 2
    said = capfd.readouterr()
    assert said.out == ""
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


def test_answers_that_cannot_be_written_are_printed(adapter, small_dataset, tmp_path, capfd):
    """The place was there when it was looked at, and the answers took their time."""
    out = tmp_path / "rows.csv"
    with mock.patch("engine.evaluation.exports.check"):
        status = main(
            [
                *("evaluate", "--adapter", str(adapter), "--dataset", str(small_dataset)),
                *("--limit", "1", "--max_new_tokens", "2", "--out", str(out / "rows.csv")),
            ]
        )
    said = capfd.readouterr()
    assert (status, said.out.splitlines()[0]) == (2, "|  | base | adapter |")
    assert "rows.csv cannot be written (" in said.err
