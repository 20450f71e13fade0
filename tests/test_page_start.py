"""`python app.py` as a process: where it listens, what it loads, what it warns of."""

import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def started(page_process):
    """started(**environment): a page process that answers, and the seconds that it took."""
    process = page_process()

    def start(**environment):
        return process, process.start(**environment)

    yield start
    process.close()


def test_it_answers_on_loopback_without_torch(started):
    """200 at 127.0.0.1 and nowhere else, no model library in the process, even when in use."""
    process, seconds = started()
    print(f"\nseconds to the first 200: {seconds:.1f}")
    with urllib.request.urlopen(process.url, timeout=10) as answer:
        assert answer.status == 200
        assert "Greenroom" in answer.read().decode("utf-8")
    listening = [
        one.laddr
        for one in psutil.Process(process.process.pid).net_connections("tcp")
        if one.status == psutil.CONN_LISTEN
    ]
    assert [(one.ip, one.port) for one in listening] == [("127.0.0.1", process.port)]
    maps = Path(f"/proc/{process.process.pid}/maps")
    if maps.exists():
        loaded = maps.read_text(encoding="utf-8")
        assert "libpython" in loaded or "python" in loaded
        assert "libtorch" not in loaded
    assert "without a password" not in process.log.read_text(encoding="utf-8")


def test_it_warns_when_open_without_a_password(started):
    """Listening to others without GREENROOM_AUTH: a warning on stderr and on the page."""
    process, _ = started(GRADIO_SERVER_NAME="0.0.0.0")
    assert (
        "Anyone who can reach this machine can use this page: it listens on 0.0.0.0 without a "
        "password. Set GREENROOM_AUTH=user:password, or GRADIO_SERVER_NAME=127.0.0.1."
    ) in process.log.read_text(encoding="utf-8")
    with urllib.request.urlopen(f"{process.url}/config", timeout=10) as answer:
        assert "without a password" in answer.read().decode("utf-8")


def test_a_password_is_asked_for_and_silences_the_warning(started):
    """With GREENROOM_AUTH the page's inside is closed to strangers, and there is no warning."""
    process, _ = started(GRADIO_SERVER_NAME="0.0.0.0", GREENROOM_AUTH="ann:secret")
    assert "without a password" not in process.log.read_text(encoding="utf-8")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{process.url}/config", timeout=10)
