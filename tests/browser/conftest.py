"""What the browser tests share: one chromium, one visitor, a run that goes on."""

import os
import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from engine.training.runs import status_of

# The shell is the same chromium, without all that a window would want: a third less to compute.
CHROMIUMS = [Path("/usr/bin/chromium-headless-shell"), Path("/usr/bin/chromium")]
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 90_000
TWO_FRAMES = """() => new Promise(
  done => requestAnimationFrame(() => requestAnimationFrame(done)))"""
# What a column has answered: its bubbles after the first question; a greeting stands before it.
ANSWERED = """column => {
  const said = [...document.querySelectorAll(
    `#chat_${column} [data-testid=user], #chat_${column} [data-testid=bot]`)];
  const first = said.findIndex(one => one.dataset.testid === 'user');
  return first < 0 ? [] : said.slice(first).filter(one => one.dataset.testid === 'bot')
    .map(one => one.querySelector('.message-content')?.innerText ?? '');
}"""


@pytest.fixture(scope="package", autouse=True)
def chromium():
    """Debian's chromium without a window."""
    found = next((path for path in CHROMIUMS if path.exists()), None)
    if not found:
        pytest.skip("no chromium: apt-get install chromium-headless-shell fonts-noto-cjk")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(found), args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def copied_run(server, finished_run):
    """A copy of the finished run, to be renamed or deleted."""
    copy = server.runs / f"spare-vole-{os.urandom(2).hex()}"
    shutil.copytree(server.runs / finished_run, copy)
    (copy / "name").write_text("spare-vole", encoding="utf-8")
    yield copy
    shutil.rmtree(copy, ignore_errors=True)


@pytest.fixture
def going_run(server, client, wait_until):
    """Id of a run that is in its middle and has minutes to go; tests may share it. It lets the page
    and its browser go first."""
    listed = client.predict(api_name="/list_runs")
    found = next((run["id"] for run in listed if run["alive"]), None)
    run_id = found or client.predict(
        dataset="lighthouse-keeper", max_steps=5000, eval_steps=1000, api_name="/start_run"
    )

    def has_begun():
        return client.predict(run_id, api_name="/run_status")["step"] >= 2

    wait_until(has_begun, 240, f"{run_id} makes its first steps")
    psutil.Process(status_of(server.runs / run_id)["pid"]).nice(10)
    return run_id


class Visitor:
    """A person before the page: knows where things are, sees what is visible."""

    def __init__(self, page, url):
        self.page = page
        self.url = url

    def open(self, query=""):
        """Opens the page anew, until its thread and its memory strip are there."""
        self.page.goto(f"{self.url}/{query}")
        self.page.locator("#tabs").wait_for()
        self.page.locator("#memory .line").first.wait_for()
        return self

    def see(self, elem_id, inside=""):
        return self.page.locator(f"#{elem_id} {inside}".strip())

    def go_to(self, tab):
        """Opens a tab; on a phone it may be folded into the menu beside the tabs."""
        button = self.page.locator(f"#tab_{tab}-button").last
        if not button.is_visible():
            self.page.locator("#tabs .overflow-menu > button").first.click()
            button = self.page.locator(f".overflow-dropdown #tab_{tab}-button").first
        button.click()
        self.page.locator(f"#tab_{tab}").wait_for(state="visible")

    def fill(self, elem_id, value):
        """Types into a field and leaves it."""
        field = self.see(elem_id, ":is(input, textarea)").first
        field.fill(str(value))
        field.blur()

    def unfold(self, elem_id):
        """Opens a fold. Gradio writes what stands in it once more in the frames that follow: nobody
        types that soon."""
        self.see(elem_id, "button.label-wrap").first.click()
        self.page.evaluate(TWO_FRAMES)

    def upload(self, path):
        self.see("upload", "input[type=file]").set_input_files(path)

    def wait_for_data(self):
        self.see("data_mask", ".mask").wait_for()

    def step(self):
        """The step that the run card shows, 0 before there is one."""
        words = self.see("run_card", ".big").inner_text()
        found = re.search(r"(\d+)", words)
        return int(found[1]) if found else 0

    def wait_for_step_after(self, step):
        self.page.wait_for_function(
            """step => {
                const words = document.querySelector('#run_card .big')?.innerText || '';
                return Number((words.match(/\\d+/) || [0])[0]) > step;
            }""",
            arg=step,
        )

    def run_id(self):
        """Of the run that Train watches, from the address that its card gives."""
        words = self.see("run_card").inner_text()
        return re.search(r"\?run=([a-z]+-[a-z]+-[0-9a-f]{4})", words)[1]

    def select_run(self, run_id):
        """On Runs, whose table is looked at when the tab opens: what is clicked in that very moment
        can be lost, while Gradio makes the table anew, and is clicked once more."""
        self.go_to("data")
        self.go_to("runs")
        button = self.page.locator(f'#runs_table button[data-run="{run_id}"]')
        selected = self.page.locator(f'#runs_table tr.selected[data-run="{run_id}"]')
        from playwright.sync_api import TimeoutError as TooLate

        button.click()
        try:
            selected.wait_for(timeout=20_000)
        except TooLate:
            button.click()
            selected.wait_for()

    def speak_with(self, run_id):
        """Chat, with the adapter of a run put on."""
        self.select_run(run_id)
        self.see("runs_talk").click()
        self.see("chat_2").wait_for()

    def ask(self, question):
        self.see("chat_question", ":is(input, textarea)").fill(question)
        self.see("chat_send").click()

    def wait_for_answers(self, turns, columns=2):
        """Until all voices have answered that many turns and the input is ready again."""
        self.page.wait_for_function(
            f"""([turns, columns]) => [...Array(columns).keys()].every(column =>
                ({ANSWERED})(column + 1).length === turns &&
                !document.querySelector(`#chat_${{column + 1}}_line .waiting`)) &&
                document.querySelector('#chat_send')?.offsetParent""",
            arg=[turns, columns],
            timeout=240_000,
        )

    def said_by(self, column):
        """Everything that a column, counted from 1, has answered so far."""
        return self.page.evaluate(ANSWERED, column)

    def add_voice(self, name):
        """Chooses one voice more in Chat, and waits until it has its column."""
        columns = self.page.locator(".chat-voice").count()
        picker = self.see("chat_voices", "input")
        picker.click()
        self.page.get_by_role("option", name=name, exact=True).click()
        picker.blur()
        self.see(f"chat_{columns + 1}").wait_for()

    def width(self):
        return self.page.evaluate("document.documentElement.scrollWidth")


@contextmanager
def _door(chromium, server):
    """Opens pages, and closes them at the end; a script error on one of them fails who opened."""
    contexts, errors = [], []

    def open_page(query="", locale="en-US", width=1320, height=900, to=server):
        context = chromium.new_context(
            locale=locale, viewport={"width": width, "height": height}, accept_downloads=True
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(error.stack or str(error)))
        return Visitor(page, to.url).open(query)

    yield open_page
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.fixture
def visit(chromium, server):
    """visit(query, locale=.., width=.., to=a page process): opens the page anew."""
    with _door(chromium, server) as open_page:
        yield open_page


@pytest.fixture(scope="module")
def person(chromium, server):
    """One visitor for the tests of a file, each of which begins where the one before ended: to open
    the page takes longer than most of them."""
    with _door(chromium, server) as open_page:
        yield open_page()
