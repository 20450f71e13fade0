"""Lines of cells under a header become rows, as CSV, TSV and Excel hold them."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any


def column_names(header: list[str]) -> list[str]:
    """Each name once, and one for what has none: "column 3", "answer.1"."""
    names: list[str] = []
    for position, cell in enumerate(header, start=1):
        name = base = cell.strip() or f"column {position}"
        count = 0
        while name in names:
            count += 1
            name = f"{base}.{count}"
        names.append(name)
    return names


def numbers_rows(header: list[str], lines: Iterable[list[Any]]) -> bool:
    """Whether the first column has no name and counts 0, 1, 2 ..., as pandas writes its index."""
    if not header or header[0].strip():
        return False
    return all(line and str(line[0]) == str(number) for number, line in enumerate(lines))


def rows_of_cells(
    header: list[str], lines: Iterable[list[Any]], skip_first: bool
) -> Iterator[dict[str, Any]]:
    """Missing cells are absent; cells beyond the header are kept as "column 4" and so on.

    Empty cells of columns without a name say nothing and are absent too, as are empty lines.
    """
    names = column_names(header)
    named = {name for name, cell in zip(names, header, strict=True) if cell.strip()}
    for line in lines:
        row: dict[str, Any] = {}
        for position, (name, cell) in enumerate(zip_longest(names, line), start=1):
            if cell is None or (skip_first and position == 1):
                continue
            name = name or f"column {position}"
            if cell != "" or name in named:
                row[name] = cell
        if any(cell != "" for cell in row.values()):
            yield row
