"""What a sentence quotes: of a library's error, and of what somebody wrote."""

from engine.errors import first_line, quoted


def test_the_first_line_and_no_more_than_fits():
    assert first_line(ValueError("\n size mismatch\nfor layer 1")) == "size mismatch"
    assert first_line(RuntimeError("x" * 500)) == "x" * 200
    assert first_line(RuntimeError()) == ""


def test_what_somebody_wrote_is_quoted_whole_unless_it_is_long():
    assert quoted("it's\n你好") == '"it\'s\\n你好"'
    assert quoted([1]) == "[1]"
    assert quoted("x" * 98) == f"'{'x' * 98}'"
    assert quoted("x" * 70 + "y" * 5000 + "z") == f"'{'x' * 70}yyyy ... {'y' * 18}z'"
