"""Where things lie: what ships in data/, and the one folder that holds all state (env RUNS_DIR)."""

import os
import tempfile
from pathlib import Path

DATA_DIR = Path(__file__).resolve().parent.parent / "data"
SPROUT = "sprout"


def on_disk(written: str) -> Path | None:
    """The file or folder that a person names; None for what is not there, and for a text that can
    be no path: too long for one, or in the home of somebody unknown."""
    try:
        path = os.path.expanduser(written)
    except ValueError:  # a home with a NUL in its name
        return None
    return Path(path) if os.path.exists(path) else None


def runs_dir() -> Path:
    """The folder of runs and of uploaded datasets; asked anew each time: tests move it."""
    return Path(os.environ.get("RUNS_DIR", "runs")).resolve()


def votes_dir() -> Path:
    """Where blind votes are kept, beside the runs."""
    return runs_dir() / "votes"


def temporary_file(name: str) -> Path:
    """A place for a file that is handed out; Gradio may serve what lies in the temporary folder."""
    return Path(tempfile.mkdtemp(prefix="greenroom-")) / name


def characters_dir() -> Path:
    """The folder of one's own character cards."""
    return runs_dir() / "characters"
