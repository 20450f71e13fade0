"""What the person has chosen, shared by all tabs: each writes to it and listens to its changes."""

from dataclasses import dataclass

import gradio as gr


@dataclass(frozen=True, slots=True)
class Chosen:
    """Components that carry a choice from tab to tab. Ids only; runs and data live on disk."""

    dataset: gr.State  # id of a dataset in the library
    run: gr.State  # id of the run that Train watches, "" for none
    clone: gr.State  # id of a run whose options shall fill the form, "" for none
    filled: gr.State  # a dataset that was filled in, and how it is read and asked about; {}: none
    voices: gr.State  # who speaks in Chat, as in engine.chat.adapters; "base" for the base
    sampling: gr.State  # settings that Chat shall answer with from now on; {} leaves them
    question: gr.State  # a question that Chat shall ask by itself, "" for none
    tabs: gr.Tabs  # ids: data, train, runs, chat, export
    tick: gr.Timer  # five seconds: thread and memory
