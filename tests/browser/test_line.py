"""The line of runs, as a person sees it: Start while another run trains."""

import pytest
from playwright.sync_api import expect

from engine.training.runs import status_of

pytestmark = pytest.mark.browser


def start_another(person, place):
    """Presses Start beside a run that trains, for one that takes minutes; returns its id."""
    person.see("another").click()
    person.fill("option_num_train_epochs", 400)
    expect(person.see("summary")).to_contain_text("6,800")  # steps
    expect(person.see("start")).to_be_enabled()
    person.see("start").click()
    expect(person.see("run_card", ".big")).to_have_text(place)
    return person.run_id()


def test_runs_wait_in_line_without_a_page(visit, server, free_device, going_run, wait_until):
    """Two runs queue up; the second is moved forward; with the page killed, it begins by itself."""
    person = visit(f"?run={going_run}")
    first = start_another(person, "1st in line")
    expect(person.see("run_forward")).to_be_disabled()
    expect(person.see("run_back")).to_be_disabled()
    second = start_another(person, "2nd in line")
    expect(person.see("run_card", ".sentence")).to_contain_text("It begins by itself when")
    expect(person.see("stop")).to_be_hidden()
    person.select_run(second)
    expect(person.see("runs_head")).to_contain_text("2nd in line")
    expect(person.see("runs_back")).to_be_disabled()
    person.see("runs_forward").click()
    expect(person.see("runs_head")).to_contain_text("1st in line")
    expect(person.see("runs_forward")).to_be_disabled()
    expect(person.see("runs_back")).to_be_enabled()
    row = person.see("runs_table", f'tr[data-run="{first}"]')
    expect(row).to_contain_text("2nd in line")
    server.kill()
    (server.runs / going_run / "stop").touch()
    wait_until(lambda: status_of(server.runs / second)["state"] == "running", 240, "its turn")
    assert status_of(server.runs / first)["state"] == "queued"
    server.start()
    person.open(f"?run={first}")
    person.see("run_leave").click()
    expect(person.see("run_card", ".big")).to_have_text("stopped")
