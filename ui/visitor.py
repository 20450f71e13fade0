"""Who sits before an open page that many people share: a random secret in their browser's storage,
told to the server when the page opens. A program that calls the API is known by its session.
"""

import secrets

import gradio as gr
from gradio.context import LocalContext

from engine import visitors

_SESSIONS_KEPT = 10_000
_arrived: dict[str, str] = {}  # a visitor's secret by the session of an open page


def keep_apart() -> None:
    """From now on the engine asks here who is asking."""
    visitors.known_by(_asking)


def remembered() -> gr.BrowserState:
    return gr.BrowserState("", storage_key="greenroom-visitor", secret="not-a-secret")


def arrive(request: gr.Request, remembered: str | None) -> str:
    """For the first thing that an opened page does; returns what its browser shall remember."""
    secret = remembered or secrets.token_hex(16)
    while len(_arrived) >= _SESSIONS_KEPT:
        del _arrived[next(iter(_arrived))]
    _arrived[request.session_hash] = secret
    return secret


def _asking() -> str | None:
    """None outside of any request. A page that has not arrived yet is somebody without runs."""
    request = LocalContext.request.get(None)
    if request is None:
        return None
    session = request.session_hash or ""
    return _arrived.get(session, session)
