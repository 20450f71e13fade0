"""Reads the environment, composes the page, launches it; nothing else."""

import gc
import os
import sys
import threading

gc.disable()  # collecting garbage is a fifth of what opening the page costs; on again in launch()

# Before gradio is imported: it asks the network for its version, and tables every event.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "500")

import gradio as gr

from engine.desk import client as desk
from engine.hardware import where
from ui import page, theme, visitor
from ui.text import i18n, say

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main() -> None:
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    user, _, password = os.environ.get("GREENROOM_AUTH", "").partition(":")
    auth = (user, password) if user and password else None
    is_open = host not in LOOPBACK and auth is None and where() == "local"
    if is_open:
        print(say("shell_open", "en", host=host), file=sys.stderr)
    if where() != "local":
        visitor.keep_apart()
    blocks = page.build(open_to=host if is_open else "")
    launch(blocks, host, auth)


def launch(blocks: gr.Blocks, host: str, auth: tuple[str, str] | None) -> None:
    """Serves until interrupted. The desk warms up only when the page already answers."""
    blocks.launch(
        server_name=host,
        server_port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        auth=auth,
        theme=theme.theme(),
        css=theme.css(),
        i18n=i18n,
        footer_links=["api", "settings"],
        run_history=False,
        max_file_size="200mb",
        show_error=False,
        inbrowser=host in LOOPBACK and where() == "local" and _has_display(),
        prevent_thread_lock=True,
        ssr_mode=False,
    )
    gc.freeze()
    gc.enable()
    threading.Thread(target=desk.warm_up, name="warm-up", daemon=True).start()
    try:
        blocks.block_thread()
    finally:
        desk.close()


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    main()
