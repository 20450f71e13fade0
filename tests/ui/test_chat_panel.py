"""What a card changes in the side panel, and how that goes back."""

import gradio as gr
import pytest

from engine.chat.sampling import DEFAULTS
from ui import chat_panel

HOT = {"system": "You are Hot.", "temperature": 1.8}
COOL = {"system": "You are Cool."}


@pytest.fixture(scope="module")
def panel():
    with gr.Blocks():
        return chat_panel.build()


@pytest.fixture
def worn(panel):
    """worn(card, set by hand ...): what the panel shows after the card was put on."""
    now = {"system": "Mine.", **DEFAULTS}
    stood = {}

    def put_on(card, **by_hand):
        nonlocal stood
        now.update(by_hand)
        updates = chat_panel.put_on(panel, [stood, *now.values()], card)
        stood = updates.pop(panel.stood)
        names = {component: name for name, component in panel.spoken.items()}
        now.update({names[component]: value for component, value in updates.items()})
        return now["system"], now["temperature"]

    return put_on


def test_what_stood_before_a_card_comes_back(worn):
    """One that asks for nothing of the sampling speaks as all did before the hot one."""
    assert worn(HOT) == ("You are Hot.", 1.8)
    assert worn(HOT) == ("You are Hot.", 1.8)
    assert worn(COOL) == ("You are Cool.", 0.3)
    assert worn({}) == ("Mine.", 0.3)
    assert worn({}) == ("Mine.", 0.3)


def test_what_a_person_has_set_since_stays(worn):
    worn(HOT)
    assert worn({}, system="You are an oak.", temperature=1.0) == ("You are an oak.", 1.0)
