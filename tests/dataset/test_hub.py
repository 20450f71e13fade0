"""A dataset of the Hub: what is fetched becomes a file; what fails becomes a sentence."""

import datasets
import huggingface_hub
import pytest

from engine.dataset.reading.columnar import PARTS as WRITTEN
from engine.dataset.reading.hub import download
from engine.dataset.reading.read import read_table
from engine.errors import UserError

PARTS = {
    "train": [{"prompt": "Hi", "response": "Yes."}],
    "test": [{"prompt": "Ho", "response": "No."}],
    "rest": [{"prompt": "Hm", "response": "So."}] * 2,
    "dev": [{"other": "Ho"}],
}


def left(named):
    return [
        (
            f"The dataset has other splits that were not fetched (rows of each): {named}. To use "
            "one, fetch it by its name.",
            f"数据集还有没有获取的部分（括号中是行数）：{named}。要用其中之一，请按名字获取。",
        )
    ]


@pytest.fixture(autouse=True)
def reached(monkeypatch):
    """The Hub answers, and knows nothing."""
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *asked, **more: None)


@pytest.fixture
def asked(monkeypatch):
    """What `datasets` was asked for; it answers with all splits."""
    seen = []

    def load(name, **options):
        seen.append((name, options))
        return datasets.DatasetDict({k: datasets.Dataset.from_list(v) for k, v in PARTS.items()})

    monkeypatch.setattr(datasets, "load_dataset", load)
    return seen


@pytest.mark.parametrize(
    ("split", "name", "others"),
    [("test", "test", "train (1), rest (2), dev (1)"),
     (" train ", "train", "test (1), rest (2), dev (1)")],
)  # fmt: skip
def test_a_split_becomes_a_file(tmp_path, asked, split, name, others):
    file = download("https://huggingface.co/datasets/some/data", split, "hf_secret", tmp_path)
    assert file.name == f"some-data-{name}.parquet"
    table = read_table(file)
    assert (list(table.rows), table.splits, table.notes) == (PARTS[name], {}, left(others))
    assert asked == [("some/data", {"token": "hf_secret"})]


def test_splits_for_validation_come_along(tmp_path, asked):
    """Unless a split is named, and where their columns are the same; what is left is said."""
    table = read_table(download("some/data", "", "", tmp_path))
    assert list(table.rows) == PARTS["train"] + PARTS["test"]
    assert table.splits == {"train": (0, 1), "test": (1, 2)}
    assert table.notes == left("rest (2), dev (1)")


def test_a_dataset_of_one_split(tmp_path, monkeypatch):
    def load(name, token):
        return datasets.DatasetDict({"all": datasets.Dataset.from_list(PARTS["rest"])})

    monkeypatch.setattr(datasets, "load_dataset", load)
    table = read_table(download("some/data", "", "", tmp_path))
    assert (list(table.rows), table.splits, table.notes) == (PARTS["rest"], {}, [])


def test_a_split_that_is_not_there_names_those_that_are(tmp_path, asked):
    with pytest.raises(
        UserError, match="has no split 'valid'; it has train, test, rest, dev"
    ) as raised:
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


def test_splits_that_somebody_else_wrote(tmp_path):
    """A sentence for whatever stands there."""
    import pyarrow.parquet

    file, table = tmp_path / "a.parquet", pyarrow.Table.from_pylist(PARTS["rest"])
    for said in ("{", "[]", "{}", '{"taken": {"a": "b"}, "left": {}}', '{"taken": {"a": 1}}'):
        with pyarrow.parquet.ParquetWriter(file, table.schema) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({WRITTEN: said})
        with pytest.raises(UserError, match=r"a.parquet is a broken Parquet file \("):
            read_table(file)


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path, monkeypatch, asked):
    """`datasets` then looks into its cache alone; what is there is read, else it is said at once
    why the Hub was not reached."""

    def unreached(*asked, timeout, **more):
        assert timeout <= 5
        raise ConnectionError("no such host")

    offline = []
    answers = datasets.load_dataset

    def load(name, token):
        offline.append(datasets.config.HF_HUB_OFFLINE)
        if name == "not/here":
            raise FileNotFoundError("not in the cache")
        return answers(name, token=token)

    before = datasets.config.HF_HUB_OFFLINE
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreached)
    monkeypatch.setattr(datasets, "load_dataset", load)
    assert download("some/data", "test", "", tmp_path).is_file()
    with pytest.raises(UserError) as raised:
        download("not/here", "", "", tmp_path)
    assert raised.value.sentence.en == (
        "not/here could not be fetched (ConnectionError: no such host). Check its name and the "
        "network; a private or gated dataset needs a token that may read it."
    )
    assert offline == [True, True]
    assert before == datasets.config.HF_HUB_OFFLINE
