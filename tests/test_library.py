"""Datasets by name: the samples, and what people bring."""

import pytest

from engine import library
from engine.errors import UserError
from engine.library import keep, list_datasets, remove, resolve
from engine.places import DATA_DIR


def bring(folder, name="mine.csv", text="prompt,response\nHi,Yes.\n", called=None):
    path = folder / f"upload-{name}"
    path.write_text(text, encoding="utf-8")
    return keep(path, called or name)


def test_the_samples_come_first_with_their_characters():
    assert [(one.id, one.character, one.language) for one in list_datasets()] == [
        ("lighthouse-keeper", "lighthouse-keeper", "en"),
        ("palace-secretary", "palace-secretary", "zh"),
    ]
    assert all(one.path.is_file() and one.is_sample for one in list_datasets())


def test_resolve_by_name_and_by_path(tmp_path, runs_folder):
    assert resolve("lighthouse-keeper") == DATA_DIR / "datasets" / "lighthouse-keeper.json"
    assert resolve(bring(tmp_path)) == runs_folder / "datasets" / "mine.csv"
    path = tmp_path / "elsewhere.csv"
    path.write_text("x")
    assert resolve(str(path)) == path


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "No dataset is chosen"),
        ("  ", "No dataset is chosen"),
        ("nobody", "There is no dataset 'nobody'"),
        ("/", "There is no dataset '/'"),
        ("light-keeper", r"'light-keeper' here; .* Data tab. Did you mean lighthouse-keeper\?$"),
        ("nobody", r"'nobody' here; .* Data tab.$"),
    ],
)
def test_what_cannot_be_resolved_is_a_sentence(name, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        resolve(name)
    assert raised.value.field == "dataset"


def test_an_upload_is_listed_and_removed(tmp_path):
    id = bring(tmp_path, called="我的 data (1).csv")
    assert id == "我的-data-1-.csv"
    assert [(one.id, one.is_sample) for one in list_datasets()[2:]] == [(id, False)]
    remove(id)
    assert len(list_datasets()) == 2


def test_the_same_content_is_kept_once_another_gets_a_number(tmp_path):
    assert [bring(tmp_path), bring(tmp_path)] == ["mine.csv", "mine.csv"]
    other = "prompt,response\nHi,No.\n"
    assert bring(tmp_path, text=other) == "mine-2.csv"
    assert resolve("mine-2.csv").read_text() == other
    assert len(list_datasets()) == 4


def test_a_name_cannot_leave_the_folder(tmp_path, runs_folder):
    id = bring(tmp_path, called="../../../evil.csv")
    assert id == "evil.csv"
    assert resolve(id) == runs_folder / "datasets" / "evil.csv"


@pytest.mark.parametrize("id", ["lighthouse-keeper", "../calm-otter-0000/config.yaml", "", "none"])
def test_only_uploads_are_removed(tmp_path, runs_folder, id):
    bring(tmp_path)
    run = runs_folder / "calm-otter-0000"
    run.mkdir()
    (run / "config.yaml").write_text("lora_r: 1\n")
    with pytest.raises(UserError, match="is no uploaded file") as raised:
        remove(id)
    assert raised.value.field == "dataset"
    assert (run / "config.yaml").is_file()
    assert library.resolve("mine.csv").is_file()
