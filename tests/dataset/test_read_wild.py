"""Random bytes, and files of every kind with bytes changed, are rows or a sentence to a person."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.dataset.reading.read import read_table
from engine.errors import UserError
from tests.dataset.made_files import (
    every_kind,
    every_kind_of_several_parts,
    every_kind_of_text,
)

KINDS = every_kind() | every_kind_of_several_parts() | every_kind_of_text()
FILES = [content for _, _, content, *_ in KINDS.values()]
NAMES = st.sampled_from(["a.json", "a.jsonl", "a.csv", "a.tsv", "a.txt", "a.xlsx", "a.gz", "a"])
MAGIC = st.sampled_from([b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff", b"PK\x03\x04", b"\x1f\x8b"])


@st.composite
def mutated(draw):
    """Some bytes replaced, taken out or put in; perhaps cut off, perhaps with a tail."""
    content = bytearray(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    return bytes(content[: draw(st.integers(0, len(content)) | st.none())])


def or_refusal(path):
    """The table, or the sentence why there is none; whatever else is raised is a bug."""
    try:
        return read_table(path)
    except UserError as error:
        return error


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.binary(max_size=300)
    | st.text(max_size=100).map(str.encode)
    | st.builds(bytes.__add__, MAGIC, st.binary(max_size=60))
    | mutated()
    | mutated(),
    NAMES,
)
def test_any_bytes_give_rows_or_a_sentence(tmp_path_factory, content, name):
    """A thousand files: plain JSON objects, or one refusal in both languages, and no traceback."""
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    table = or_refusal(path)
    if isinstance(table, UserError):
        assert table.field == "dataset"
        assert all(table.sentence)
        return
    rows = list(table.rows)
    assert rows
    assert all(isinstance(row, dict) for row in rows)
    assert table.columns == list(dict.fromkeys(name for row in rows for name in row))
    json.dumps(rows, allow_nan=False, ensure_ascii=False).encode()
