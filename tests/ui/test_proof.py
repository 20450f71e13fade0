"""The line under an answer and its proof, as HTML."""

import re

import pytest

from ui import answers, proof

SAMPLING = {"temperature": 0.3, "seed": 7}


def answer(text, **more):
    return {
        "text": text,
        "done": True,
        "stopped_by": "end",
        "tokens": 3,
        "tokens_per_second": 31.0,
        "prompt_tokens": 4,
        "prompt": "<|im_start|>user\nHi <b>",
        "pieces": ["<|im_start|>", "user", "\n", "Hi", " <b>", ""],
        "checksum": text,
        "sampling": SAMPLING | {"seed": 9},
        "adapter": "",
        "together": True,
    } | more


def turn(*texts, **more):
    said = dict(zip(("base", "a", "b"), texts, strict=False))
    answered = {v: answer(t, adapter="" if v == "base" else v, **more) for v, t in said.items()}
    return {"question": "Hi", "answers": answered, "sampling": SAMPLING}


def words(html):
    return re.sub(r"<[^>]*>", " ", html)


def test_the_proof_says_what_the_voice_read_and_how_it_was_drawn():
    html = proof.line(turn("Hello there", "Aye"), "a", "en")
    assert "31 tokens/s · 3 tokens · <b" in html
    rows = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", html))
    assert rows == {
        "Active adapter": "a",
        "Checksum of its first scores": "Aye",
        "Seed": "9",
        "Sampling": "temperature 0.3",
        "Speed": "31 tokens/s",
        "Prompt": "4 tokens",
    }
    pre = re.search("<pre>(.*)</pre>", html, re.DOTALL)[1]
    assert pre == (
        '<i class="special">&lt;|im_start|&gt;</i><i class="piece">user</i>'
        '<i class="piece">↵\n</i><i class="piece">Hi</i><i class="piece"> &lt;b&gt;</i>'
        '<i class="piece"></i>'
    )
    assert "The base read the same prompt." in html
    html = proof.line(turn("Hello there", "Aye", captured=True), "a", "en")
    assert "<dd>31 tokens/s · compiled, one CUDA graph a token</dd>" in html


def test_an_adapter_that_changes_nothing_is_warned_of():
    """Only where the prompt is the same: else equal scores would mean nothing at all."""
    same = turn("Hello", "Aye", checksum="0a0a0a0a")
    assert "This adapter changes nothing here" in proof.line(same, "a", "en")
    assert "This adapter changes nothing here" not in proof.line(same, "base", "en")
    assert "changes nothing" not in proof.line(turn("Hello", "Aye"), "a", "en")
    same["answers"]["a"]["prompt"] = "other"
    assert "changes nothing" not in proof.line(same, "a", "en")
    assert "The base read another prompt" in proof.line(same, "a", "en")


def warning(html):
    found = re.match('<div class="sentence mild" role="status">(.*?)</div>', html)
    return found and found[1]


@pytest.mark.parametrize(
    ("lang", "says"),
    [
        (
            "en",
            "These compute exactly the same here: a, b. After the same prompt their first scores "
            "are equal to the last bit. They may be one adapter twice, such as a run&#x27;s end "
            "and its last checkpoint.",
        ),
        (
            "zh",
            "这几个声音在这里算得完全一样：a、b。读了同样的提示，首个 token 的分数分毫不差。"
            "它们可能是同一个适配器，例如一次训练的结果和它的最后一个检查点。",
        ),
    ],
)
def test_two_adapters_that_compute_the_same_are_warned_of(lang, says):
    """Both are named under both, whether the base speaks too or not; what is not yet done, read
    another prompt or has no scores is no twin."""
    for has_base in (True, False):
        same = turn("Hello", "Aye", "No")
        same["answers"]["a"]["checksum"] = same["answers"]["b"]["checksum"] = "0a0a0a0a"
        if not has_base:
            del same["answers"]["base"]
        assert [warning(proof.line(same, voice, lang)) for voice in "ab"] == [says, says]
        for apart in ({"done": False}, {"prompt": "other"}, {"checksum": "0b0b0b0b"}):
            other = {**same["answers"], "b": same["answers"]["b"] | apart}
            assert warning(proof.line(same | {"answers": other}, "a", lang)) is None
    assert warning(proof.line(turn("Hello", "Aye", "No", checksum=""), "a", lang)) is None


def test_twins_that_change_nothing_are_said_to_change_nothing_only():
    same = turn("Hello", "Aye", "No", checksum="0a0a0a0a")
    for voice in ("a", "b"):
        assert warning(proof.line(same, voice, "en")).startswith("This adapter changes nothing")
    assert warning(proof.line(same, "base", "en")) is None


@pytest.mark.parametrize("done", [True, False])
def test_nothing_is_told_while_names_are_hidden(done):
    """Neither speed nor length nor proof: they would give a voice away."""
    hidden = turn("Hello", "Aye", done=done, checksum="0a0a0a0a") | {"hidden": True}
    lines = {proof.line(hidden, voice, "en") for voice in ("base", "a")}
    assert len(lines) == 1
    assert not re.search(r"\d|base|proof", words(lines.pop()))


def test_every_tuned_column_is_marked_against_the_base():
    """In Chinese by segment."""
    talk = {
        "greeting": "",
        "voices": ["base", "a", "b"],
        "turns": [turn("我是小帮手。", "我是守灯人。", "Aye，我是小帮手")],
    }
    shown = [answers.messages(talk, i, True, "en")[1]["content"] for i in range(3)]
    assert shown == ["我是小帮手。", "我是<mark>守灯人</mark>。", "<mark>Aye</mark>，我是小帮手"]
    assert answers.messages(talk, 1, False, "en")[1]["content"] == "我是守灯人。"


def test_spaces_beside_a_marked_word_stay_spaces():
    """Only those that Markdown would swallow are kept hard: the first of a line, and a second."""
    said = answers.marked(" tea and  milk\n  and jam", " tea or  milk\n  or jam")
    hard = "&nbsp;"
    assert said == (f"{hard}tea <mark>and</mark>{hard * 2}milk\n{hard * 2}<mark>and</mark> jam")


def test_a_blind_turn_says_whose_words_they_are_after_the_vote_only():
    one = turn("Hello", "Aye") | {"order": ["a", "base"], "hidden": True}
    talk = {"greeting": "", "voices": ["base", "a"], "turns": [one]}
    assert answers.messages(talk, 0, True, "en")[1]["content"] == "Aye"
    talk["turns"][0] = one | {"hidden": False, "vote": "base"}
    assert answers.messages(talk, 0, False, "en")[1]["content"] == "**a**\n\nAye"
    assert answers.messages(talk, 1, False, "en")[1]["content"] == (
        "**base** · voted better\n\nHello"
    )


def test_which_way_the_voices_were_answered():
    assert "in one pass" in proof.way(turn("Hello", "Aye"), [], "en")
    apart = turn("Hello", "Aye", together=False)
    assert "One after the other: DoRA, IA3 cannot be told apart in a batch." in proof.way(
        apart, ["DoRA", "IA3"], "en"
    )
    assert proof.way(turn("Hello"), [], "en") == '<i class="nothing"></i>'


STATUS = {
    "model": "sprout",
    "voices": ["base"],
    "footprint_gib": 0.5,
    "precision": "float32",
    "device": "CPU",
    "dtype_reason": {"en": "why", "zh": "因"},
}


def test_the_base_check_is_said():
    check = {"difference": 0.0, "same": True}
    assert "The base is itself" in answers.loaded(STATUS | {"base_check": check}, "en")
    check = {"difference": 0.0123, "same": False}
    assert "by up to 0.012 from" in answers.loaded(STATUS | {"base_check": check}, "en")


def test_what_is_to_be_said_of_model_and_adapters_stands_below():
    """Of the base's template first, then of each adapter, in the page's language."""
    status = STATUS | {
        "template_note": {"en": "no template", "zh": "没有模板"},
        "notes": [{"en": "a <b>", "zh": "甲"}, {"en": "c", "zh": "乙"}],
    }
    assert answers.loaded(status, "en").endswith(
        '<p class="soft">no template</p><p class="soft">a &lt;b&gt;</p><p class="soft">c</p>'
    )
    assert answers.loaded(status, "zh").endswith(
        '<p class="soft">没有模板</p><p class="soft">甲</p><p class="soft">乙</p>'
    )
    plain = answers.loaded(status | {"template_note": None, "notes": []}, "en")
    assert plain.count("<p") == 1
