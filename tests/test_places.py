"""What a person names as a file or a folder, whatever was written."""

import pytest

from engine.errors import UserError
from engine.export.source import find
from engine.library import resolve
from engine.models.adapter import same_base
from engine.models.sources.names import is_elsewhere
from engine.places import on_disk

NO_PATHS = ["x" * 300, "请扮演一位灯塔守护人" * 10, "~nobody-here/data", "~\0", "/x/" + "x/" * 3000]


def test_what_is_there_is_found(tmp_path, monkeypatch):
    """Also in one's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert on_disk(str(tmp_path)) == tmp_path
    assert on_disk("~/mine") is None
    (tmp_path / "mine").touch()
    assert on_disk("~/mine") == tmp_path / "mine"


@pytest.mark.parametrize("written", NO_PATHS)
def test_what_can_be_no_path_is_not_there(written, runs_folder):
    """As a dataset, a base, an adapter: Path's own questions raise errors for these."""
    assert on_disk(written) is None
    assert is_elsewhere(written)
    assert not same_base(written, "sprout")
    for ask in (resolve, find):
        with pytest.raises(UserError, match="^There is no (dataset|run) "):
            ask(written)
