"""The same page in Chinese, in the dark, and on a phone."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

BRIGHTNESS = """selector => {
  let box = document.querySelector(selector), colour = '';
  do { colour = getComputedStyle(box).backgroundColor; box = box.parentElement; }
  while (box && /rgba\\(.*, 0\\)|transparent/.test(colour));
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}"""
INK = """selector => {
  const [r, g, b] = getComputedStyle(document.querySelector(selector)).color
    .match(/[\\d.]+/g).map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}"""


def test_the_page_is_chinese_for_a_chinese_browser(visit, tmp_path, finished_run):
    """Tabs, thread, memory, mask, errors and chat are Chinese; nothing the page says is English."""
    person = visit("?run=calm-otter-ffff", locale="zh-CN")
    expect(person.see("notice")).to_contain_text("这里没有名为 calm-otter-ffff 的训练")
    for tab, words in {"data": "数据", "train": "训练", "runs": "记录", "chat": "对话"}.items():
        expect(person.see(f"tab_{tab}-button").last).to_have_text(words)
    for part, words in {"data": "数据", "base": "底座", "run": "训练", "voices": "声音"}.items():
        expect(person.see(f"thread_{part}", ".name")).to_have_text(words)
    expect(person.see("thread_data")).to_contain_text("宫中女官")
    expect(person.see("memory")).to_contain_text("本页占用")
    person.wait_for_data()
    expect(person.see("data_mask", ".legend")).to_contain_text("回合结束符，要学")
    expect(person.see("data_statement")).to_contain_text("个 token，模型要学其中")
    (tmp_path / "诗.json").write_text('["床前明月光', encoding="utf-8")
    person.upload(tmp_path / "诗.json")
    expect(person.see("upload_said", ".sentence")).to_contain_text("在第 1 行第 2 列有错")
    person.go_to("train")
    person.fill("option_learning_rate", -1)
    expect(person.see("verdict")).to_have_text("还不能开始")
    sentence = person.see("summary", ".sentence").inner_text()
    assert re.search("[一-鿿]", sentence), sentence
    expect(person.see("option_learning_rate")).to_contain_text(sentence)
    person.go_to("runs")
    expect(person.see("runs_table")).to_contain_text("全部训练，新的在前")
    expect(person.see("runs_delete")).to_have_text("删除")
    person.go_to("chat")
    expect(person.see("chat_send")).to_have_text("发送")
    expect(person.see("chat_1")).to_contain_text("想听微调后的声音同台作答")


def test_the_dark_page_is_dark(visit, tmp_path):
    """Dark everywhere where light is light, with ink that can be read on it."""
    person = visit("?__theme=dark")
    person.wait_for_data()
    for box in (".gradio-container", "#data_mask .card", "#thread", "#memory"):
        ground = person.page.evaluate(BRIGHTNESS, box)
        assert ground < 0.2, (box, ground)
        assert person.page.evaluate(INK, box) > ground + 0.35, box
    for mark in ("learned", "end"):
        piece = f"#data_mask .mask .{mark}"
        ground = person.page.evaluate(BRIGHTNESS, piece)
        assert abs(person.page.evaluate(INK, piece) - ground) > 0.35, mark
    assert person.page.screenshot(path=tmp_path / "dark.png")
    person.open("?__theme=light")
    assert person.page.evaluate(BRIGHTNESS, ".gradio-container") > 0.8


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_nothing_is_cut_off_on_a_phone(visit, finished_run, locale):
    """At 390 px every tab is reached and none scrolls sideways, nor does a run on Train."""
    person = visit(f"?run={finished_run}", locale=locale, width=390, height=844)
    expect(person.see("run_card")).to_contain_text(finished_run)
    assert person.width() <= 390
    for tab in ("data", "runs", "chat", "train"):
        person.go_to(tab)
        if tab == "data":
            person.wait_for_data()
            for view in ("table", "conversation", "prompt"):
                button = person.see(f"view_{view}-button").last
                if button.is_visible():
                    button.click()
                    person.see(f"view_{view}").wait_for()
                    assert person.width() <= 390, view
        if tab == "runs":
            person.see("runs_table", "tr[data-run]").first.wait_for()
        assert person.width() <= 390, tab
    person.speak_with(finished_run)
    person.see("chat_toggle").click()
    person.see("chat_panel").wait_for()
    assert person.width() <= 390


def test_what_the_server_says_follows_the_language_switch(visit):
    """Gradio's switch, in its settings: labels at once, and all that is composed for them."""
    person = visit()
    person.wait_for_data()
    person.go_to("train")
    person.page.locator("footer button.settings").click()
    for chosen, read_as, sample, verdict in (
        ("简体中文", "识别为", "灯塔", "可以开始"),
        ("English", "Read as", "Lighthouse keeper", "Ready"),
    ):
        person.page.locator("input[aria-label=Language]").click()
        person.page.get_by_role("option", name=chosen).click()
        expect(person.see("data_understood")).to_contain_text(read_as)
        expect(person.see("dataset")).to_contain_text(sample)
        expect(person.see("thread_data")).to_contain_text(sample)
        expect(person.see("verdict")).to_have_text(verdict)
