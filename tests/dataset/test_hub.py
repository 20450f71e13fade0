"""A dataset of the Hub: what is fetched becomes a file; what fails becomes a sentence."""

import datasets
import pytest

from engine.dataset.reading.hub import download
from engine.dataset.reading.read import read_table
from engine.errors import UserError

PARTS = {
    "train": [{"prompt": "Hi", "response": "Yes."}],
    "test": [{"prompt": "Ho", "response": "No."}],
}


@pytest.fixture
def asked(monkeypatch):
    """What `datasets` was asked for; it answers with two splits."""
    seen = []

    def load(name, **options):
        seen.append((name, options))
        return datasets.DatasetDict({k: datasets.Dataset.from_list(v) for k, v in PARTS.items()})

    monkeypatch.setattr(datasets, "load_dataset", load)
    return seen


@pytest.mark.parametrize(("split", "name"), [("", "train"), ("test", "test"), (" train ", "train")])
def test_a_split_becomes_a_file(tmp_path, asked, split, name):
    file = download("https://huggingface.co/datasets/some/data", split, "hf_secret", tmp_path)
    assert file.name == f"some-data-{name}.parquet"
    assert list(read_table(file).rows) == PARTS[name]
    assert asked == [("some/data", {"token": "hf_secret"})]


def test_a_split_that_is_not_there_names_those_that_are(tmp_path, asked):
    with pytest.raises(UserError, match="has no split 'valid'; it has train, test") as raised:
        download("some/data", "valid", "", tmp_path)
    assert raised.value.field == "hub"
    assert asked == [("some/data", {"token": None})]


def test_a_failure_never_shows_the_token(tmp_path, monkeypatch):
    def load(name, token):
        raise ConnectionError(f"401 for {token}")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(
        UserError, match=r"could not be fetched \(ConnectionError: 401 for \*\*\*"
    ) as e:
        download("some/data", "", "hf_secret", tmp_path)
    assert "hf_secret" not in str(e.value) + e.value.sentence.zh
    assert e.value.__cause__ is None
