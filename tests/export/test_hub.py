"""Pushing to the Hub: private by default, with the visitor's token, every failure a sentence."""

import json

import huggingface_hub
import pytest
from huggingface_hub import constants

from engine.errors import UserError
from engine.export import hub as pushing
from engine.export.hub import check_name, push, send
from engine.export.source import find
from tests.export.hub_server import Hub

TOKEN = "hf_secretsecret"


@pytest.fixture
def hub(monkeypatch):
    """The Hub of this machine; large files go as plain uploads."""
    hub = Hub()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: None)
    yield hub
    hub.close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "merged"
    (folder / "part").mkdir(parents=True)
    (folder / "README.md").write_text("# it\n")
    (folder / "part" / "model.safetensors").write_bytes(b"weights" * 1000)
    return folder


FILES = {"README.md": b"# it\n", "part/model.safetensors": b"weights" * 1000}


def test_a_folder_is_pushed_whole_and_private(hub, folder, monkeypatch):
    """One commit with all files; a large file is sent before it, and how far it is said."""
    monkeypatch.setattr(pushing, "_LARGE", 1000)
    steps = list(push(folder, " me/mine ", TOKEN))
    assert hub.repos == {"me/mine": {"private": True, "files": FILES}}
    assert steps[-1] == {"result": {"url": f"{hub.url}/me/mine", "private": True}}
    told = [round(one["gib"] * 1024**3) for one in steps[:-1]]
    assert told == [0, 7000]
    assert sum("/commit/" in path for _, path, _ in hub.asked) == 1
    assert {token for _, path, token in hub.asked if path.startswith("/api/models")} == {TOKEN}


def test_public_only_when_asked(hub, folder):
    list(push(folder, "mine", TOKEN, public=True))
    assert hub.repos["me/mine"]["private"] is False


@pytest.mark.parametrize(
    ("status", "words", "field"),
    [
        (401, "The Hub does not know this token", "token"),
        (403, "This token may not write to me/mine", "token"),
        (500, "me/mine could not be pushed", "repo_id"),
    ],
)
def test_a_refusal_is_a_sentence(status, words, field, hub, folder, caplog, capfd):
    """And nowhere stands the token."""
    hub.refuse = status
    with pytest.raises(UserError, match=words) as refused:
        list(push(folder, "me/mine", TOKEN))
    assert refused.value.field == field
    assert refused.value.__cause__ is None
    said = [*refused.value.sentence, caplog.text, *capfd.readouterr()]
    assert TOKEN not in " ".join(said)


def test_what_is_there_is_not_overwritten(hub, folder):
    hub.repos["me/mine"] = {"private": True, "files": {"model.safetensors": b"others"}}
    with pytest.raises(UserError, match="me/mine is on the Hub already") as refused:
        list(push(folder, "me/mine", TOKEN))
    assert refused.value.field == "repo_id"
    assert hub.repos["me/mine"]["files"] == {"model.safetensors": b"others"}


@pytest.mark.parametrize("private", [True, False])
def test_a_push_that_broke_off_can_be_repeated(private, hub, folder):
    """Into the empty repository that it made, if that is as private as is wanted."""
    hub.repos["me/mine"] = {"private": private, "files": {}}
    if private:
        list(push(folder, "me/mine", TOKEN))
        assert hub.repos["me/mine"]["files"] == FILES
    else:
        with pytest.raises(UserError, match="is on the Hub already"):
            list(push(folder, "me/mine", TOKEN))


def test_without_a_network_it_is_said_at_once(hub, folder, monkeypatch):
    hub.close()
    with pytest.raises(UserError, match="cannot be reached, so nothing was sent"):
        list(push(folder, "me/mine", TOKEN))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="cannot be reached, so nothing was sent"):
        list(push(folder, "me/mine", TOKEN))


def test_without_a_token_nothing_is_asked(hub, folder):
    with pytest.raises(UserError, match="paste a token that may write") as refused:
        list(push(folder, "me/mine"))
    assert refused.value.field == "token"
    assert hub.asked == []


def test_the_login_is_used_where_there_is_one(hub, folder, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_login")
    list(push(folder, "me/mine"))
    assert ("POST", "/api/repos/create", "hf_login") in hub.asked


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a b", "-a", "a--b/c", "own/<b>"])
def test_a_name_that_cannot_be_one_is_refused(name):
    with pytest.raises(UserError, match="is no name for a model on the Hub") as refused:
        check_name(name)
    assert refused.value.field == "repo_id"


def test_an_adapter_goes_with_its_card(hub, adapter):
    list(send(find(str(adapter)), "adapter", None, "me/mara", TOKEN))
    files = hub.repos["me/mara"]["files"]
    assert (
        files["adapter_model.safetensors"] == (adapter / "adapter_model.safetensors").read_bytes()
    )
    assert files["README.md"].startswith(b"---\nlibrary_name: peft\n")


@pytest.mark.parametrize(
    ("facts", "words"),
    [({}, "has not been made yet"), ({"state": "failed check"}, "failed its check, so it is not")],
)
def test_only_what_passed_its_check_is_pushed(facts, words, hub, folder, adapter):
    if facts:
        (folder / "export.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match=words):
        list(send(find(str(adapter)), "merged", folder, "me/mara", TOKEN))
    assert hub.asked == []
