"""What is said of a model before it is fetched, and each way in which it cannot be had."""

import shutil

import pytest
from huggingface_hub import constants

from engine.errors import UserError
from engine.hardware import GIB
from engine.models.sources import cache, facts
from engine.models.sources.facts import look, refusal
from engine.models.sources.fetch import fetch, folder_here
from tests.hub_server import TOKEN


@pytest.fixture
def hub(hub_server, tiny_model_folder):
    hub_server.add_folder("me/tiny", tiny_model_folder)
    hub_server.models["me/tiny"] |= {"modeling_own.py": b"1/0", "model.gguf": b"x" * 100}
    return hub_server


def size_of(folder):
    return sum(one.stat().st_size for one in folder.iterdir())


def test_size_room_licence_and_page_are_known_before_anything_is_fetched(hub, tiny_model_folder):
    """The size is that of the files that would be fetched, not of the whole repository."""
    said = look("me/tiny")
    free = shutil.disk_usage("/").free / GIB
    assert said.pop("free_gib") == pytest.approx(free, rel=0.5)
    assert said == {
        "model": "me/tiny",
        "here": False,
        "gib": size_of(tiny_model_folder) / GIB,
        "here_gib": 0.0,
        "licence": "apache-2.0",
        "gated": False,
        "page": f"{hub.url}/me/tiny",
    }
    assert not any("/resolve/" in path for _, path, _ in hub.asked)


def test_a_config_is_had_without_the_weights(hub, tiny_model_folder):
    """Estimates work before the download; what is here by then is counted."""
    folder = folder_here("me/tiny", whole=False)
    small = sorted(one.name for one in tiny_model_folder.iterdir() if one.suffix != ".safetensors")
    assert sorted(one.name for one in folder.iterdir()) == small
    here = size_of(tiny_model_folder) - (tiny_model_folder / "model.safetensors").stat().st_size
    assert look("me/tiny")["here_gib"] == here / GIB
    asked = len(hub.asked)
    assert folder_here("me/tiny", whole=False) == folder
    assert len(hub.asked) == asked


def test_sprout_and_a_folder_are_here(tiny_model_folder):
    gib = size_of(tiny_model_folder) / GIB
    said = look(str(tiny_model_folder))
    assert said == {"model": str(tiny_model_folder), "here": True, "gib": gib, "here_gib": gib}
    assert look("sprout")["here"]
    assert refusal("sprout") is None


def test_only_whole_language_models_are_listed_as_here(hub, tiny_model_folder):
    hub.add_folder("you/other", tiny_model_folder)
    hub.add("me/ears", hub.models["me/tiny"] | {"config.json": b'{"architectures": ["Whisper"]}'})
    for name in ("me/tiny", "me/ears"):
        list(fetch(name))
    folder_here("you/other", whole=False)
    assert cache.models_here() == [("me/tiny", size_of(tiny_model_folder) / GIB)]


def test_a_full_disk_is_said_before_the_start(hub, monkeypatch):
    monkeypatch.setattr(facts, "free_bytes", lambda source: 1000)
    error = refusal("me/tiny")
    assert str(error).startswith("me/tiny needs 0.0 GiB more and the disk has 0.0 GiB left; free")
    assert error.field == "model_name_or_path"
    with pytest.raises(UserError, match="and the disk has"):
        list(fetch("me/tiny"))
    assert not any("/resolve/" in path for _, path, _ in hub.asked)


def said_of(name):
    with pytest.raises(UserError) as raised:
        folder_here(name, whole=True)
    assert raised.value.field == "model_name_or_path"
    assert raised.value.sentence.zh != raised.value.sentence.en
    return str(raised.value)


def test_a_gated_model_leads_to_where_access_is_asked_for(hub, monkeypatch):
    """Without a token, with one that may not, with one that may; none is said or written down."""
    hub.gated.add("me/tiny")
    assert look("me/tiny")["gated"]
    page = f"{hub.url}/me/tiny"
    assert said_of("me/tiny") == (
        f"me/tiny is gated. Ask for access at {page}, then let Greenroom know who you are: set "
        "HF_TOKEN, or log in with `hf auth login`."
    )
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_stranger")
    said = said_of("me/tiny")
    assert said.startswith("me/tiny is gated, and your token may not read it yet. Ask for")
    assert "stranger" not in said
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    folder = folder_here("me/tiny", whole=True)
    assert (folder / "model.safetensors").is_file()


def test_a_misspelled_name_is_answered_with_the_near_ones(hub):
    list(fetch("me/tiny"))
    assert said_of("me/tinny").endswith("check its spelling. Did you mean me/tiny?")
    assert said_of("thudm/chatglm-3-6b").endswith(" THUDM/chatglm3-6b or THUDM/chatglm-6b?")
    assert said_of("nobody/nothing").endswith("check its spelling.")


def test_offline_is_said_at_once_and_what_is_here_works(hub, monkeypatch):
    folder = folder_here("me/tiny", whole=True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    asked = len(hub.asked)
    assert folder_here("me/tiny", whole=True) == folder
    assert "the Hub is switched off here (HF_HUB_OFFLINE is set)" in said_of("you/other")
    assert len(hub.asked) == asked


def test_a_hub_that_cannot_be_reached(hub, monkeypatch):
    hub.close()
    said = said_of("me/tiny")
    assert said.startswith(f"me/tiny is not on this machine and the Hub at {hub.url} cannot be")
    assert "set HF_ENDPOINT to a mirror" in said


def test_a_model_without_weights_for_us(hub):
    hub.add("me/guff", {"config.json": b"{}", "model.gguf": b"x", "original/a.pth": b"x"})
    assert said_of("me/guff").startswith("me/guff holds no weights that Greenroom reads")
