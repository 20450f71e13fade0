"""In which language the server speaks to an open page."""

from types import SimpleNamespace

import pytest

from ui import text


def request(accepted, session="here"):
    return SimpleNamespace(headers={"accept-language": accepted}, session_hash=session)


@pytest.fixture(autouse=True)
def nobody_switched(monkeypatch):
    monkeypatch.setattr(text, "_switched", {})


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("zh-CN,en;q=0.8", "zh"), (" ZH", "zh"), ("en-US,zh;q=0.8", "en"), ("fr", "en"), ("", "en")],
)
def test_the_browsers_first_language(accepted, language):
    assert text.language(request(accepted)) == language
    assert text.language(None) == "en"


def test_a_switch_is_for_one_page_and_english_for_languages_that_nobody_wrote():
    """As the labels are: Gradio falls back to English too."""
    text.switch(request("en"), "zh")
    assert text.language(request("en")) == "zh"
    assert text.language(request("en", "elsewhere")) == "en"
    text.switch(request("zh"), "fr")
    assert text.language(request("zh")) == "en"


def test_what_is_kept_of_switches_is_bounded(monkeypatch):
    """The page that was switched the longest ago is forgotten."""
    monkeypatch.setattr(text, "_SESSIONS_KEPT", 2)
    for session in ("a", "b", "a", "c"):
        text.switch(request("en", session), "zh")
    assert [text.language(request("en", one)) for one in "abc"] == ["zh", "en", "zh"]
