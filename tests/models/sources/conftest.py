"""What the tests of sources share: a Hub of our own, and a cache that is empty."""

import pytest
from huggingface_hub import constants

from engine.models.sources import facts
from tests.hub_server import HubServer


@pytest.fixture
def hub_server(monkeypatch, tmp_path):
    """A Hub that `huggingface_hub` asks in this process, without a token."""
    server = HubServer()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield server
    server.close()


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Nothing is here, nothing is remembered."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    facts._facts.cache_clear()
    return folder
