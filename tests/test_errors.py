"""What a sentence quotes of a library's error."""

from engine.errors import first_line


def test_the_first_line_and_no_more_than_fits():
    assert first_line(ValueError("\n size mismatch\nfor layer 1")) == "size mismatch"
    assert first_line(RuntimeError("x" * 500)) == "x" * 200
    assert first_line(RuntimeError()) == ""
