"""The Colab notebook: a valid document without outputs, whose cells start the page."""

import json
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = json.loads((ROOT / "docs" / "colab.ipynb").read_text(encoding="utf-8"))


def codes():
    return ["".join(c["source"]) for c in NOTEBOOK["cells"] if c["cell_type"] == "code"]


def test_it_is_a_notebook_of_version_4_5():
    """What nbformat's schema asks of a document and its cells."""
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    assert isinstance(NOTEBOOK["metadata"], dict)
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in NOTEBOOK["cells"]:
        wanted = {"cell_type", "id", "metadata", "source"}
        wanted |= {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert set(cell) == wanted
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def test_nothing_of_a_run_is_left_in_it():
    cells = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert [(one["outputs"], one["execution_count"]) for one in cells] == [([], None)] * 4


@pytest.mark.parametrize("number", range(4))
def test_each_cell_compiles(number):
    compile(codes()[number], f"cell {number}", "exec")


def test_the_start_waits_for_the_page_and_shows_it_through_colabs_proxy(tmp_path, monkeypatch):
    """A page that answers a moment after its start; no share link is asked for."""
    (tmp_path / "app.py").write_text(
        "import http.server, os\n"
        "address = os.environ['GRADIO_SERVER_NAME'], int(os.environ['GRADIO_SERVER_PORT'])\n"
        "http.server.HTTPServer(address, http.server.SimpleHTTPRequestHandler).serve_forever()\n"
    )
    shown = []
    output = types.SimpleNamespace(
        serve_kernel_port_as_window=lambda port: shown.append(("window", port)),
        serve_kernel_port_as_iframe=lambda port, height: shown.append(("frame", port)),
    )
    colab = types.SimpleNamespace(drive=None, output=output)
    monkeypatch.setitem(sys.modules, "google", types.SimpleNamespace(colab=colab))
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start, end = codes()[2].replace("PORT = 7860", f"PORT = {port}"), codes()[3]
    names = {"root": tmp_path, "subprocess": subprocess, "sys": sys}
    exec(compile(start, "start", "exec"), names)
    assert names["page"].poll() is None
    exec(compile(end, "end", "exec"), names)
    assert shown == [("window", port), ("frame", port)]
    assert names["page"].poll() is not None
