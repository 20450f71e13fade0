"""The same two rows as the bytes of a file of every kind that can be read."""

import base64
import csv
import gzip
import io
import json
import zipfile
import zlib
from xml.sax.saxutils import escape

ROWS = [{"prompt": "Hi", "response": "Yes."}, {"prompt": "你好", "response": "好。"}]
COLUMNS = ["prompt", "response"]
TEXTS = ["Hi, you.", "你好。"]
CELLS = [COLUMNS, *(list(row.values()) for row in ROWS)]
_SCHEMAS = "http://schemas.openxmlformats.org"
_OPEN_DOCUMENT = "urn:oasis:names:tc:opendocument:xmlns"
_XLS = (
    "eNrtWE1oE0EU/maTbX5o001NhVYooWBta5GKIF7qqqD1Yq160IpgU7uH0pqETS8KYrXmKAieFC+FXrxUvfiDHvTm"
    "QagoKAhCokdPgoKHNuubt7OYag4N2KJlvmW+eXnz3s7Lzpu3P68Xk6W5B+1l/Ia9CKHixdBQpRPUYsEPCzTueVIM"
    "+ig1T+O/QixKC9lg4mnTq4hcQ7neZRi4H35BDHyidgZ5DOWyTnodcYBjyAgZwwCxwB3SJNDGUbUwn2PexHyPLZ8x"
    "72PNdeYBsi2J01i0h3r3qCw+ZXTyWALyvI/Y5wNrdqIVL2UWX74hfFsT+92JzNS/OdARbsQ8aN0GnazjZqZKSNEC"
    "zuO7lwa+BTv1eVrr11cvQPofK/WRGvqbRhiYgTfKCV6k4vou5C/wiSXs5r2oWt7Nnc9PU4F1nUI+ly04lK2HJ8h7"
    "xCnsIOfRo5dGqCPqj8sqzbvaWrGrmzjbG4nH0cxyknPeorq9dPfrmyNjw/ZZ1sxwJffr/VYZIjxckR7knOARjpJt"
    "e5m3M1/ls25huZ05RZlKfddwqxIOzbLNNR7tonl2Md7a26rkbpKLX4497ih+tntIXhgsX0wtvLfn0EmXaJz85TGL"
    "PtEnbt+SeGIHvVC14SNz2x91ImpYKnZP3dSasYw4i0lm/5e8OkLZixr2gu0NZS/YPqTsjRr2BtuHlb1/9U15nzVa"
    "8FAOUtX6hTg0NDQ0NDQ0NDQ01gJCPcfLZ1f5dGqqt4WI+q6zTK2iP5NsWBxHjo5pejE9iCz1Li7UlT+bYYrgXGKV"
    "PsH3QomTNLuLSYxxHJN15y+97Ynq/7NqR+vvbaF656/UE+caz/8Tu27IjQ=="
)


def json_lines(rows=ROWS):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def separated(delimiter, cells=CELLS):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(cells)
    return out.getvalue()


def parquet(rows=ROWS):
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    return out.getvalue()


def arrow(rows=ROWS, stream=True):
    import pyarrow

    table, out = pyarrow.Table.from_pylist(rows), io.BytesIO()
    with (pyarrow.ipc.new_stream if stream else pyarrow.ipc.new_file)(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def xlsx(*sheets):
    """Each sheet is lines of cells: text, numbers, or None for a cell that is not there."""
    numbers = range(1, len(sheets) + 1)
    parts = {
        "_rels/.rels": _related(("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": f'<workbook xmlns="{_SCHEMAS}/spreadsheetml/2006/main" xmlns:r='
        f'"{_SCHEMAS}/officeDocument/2006/relationships"><sheets>'
        + "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="r{n}"/>' for n in numbers)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": _related(
            *(("worksheet", f"worksheets/s{n}.xml") for n in numbers)
        ),
    }
    for number, lines in zip(numbers, sheets, strict=True):
        data = "".join(f"<row>{''.join(map(_cell, line))}</row>" for line in lines)
        parts[f"xl/worksheets/s{number}.xml"] = (
            f"<worksheet><sheetData>{data}</sheetData></worksheet>"
        )
    return zipped(parts)


def _related(*parts):
    """r1, r2 ... are what they are at their place."""
    relation = f"{_SCHEMAS}/officeDocument/2006/relationships"
    found = (
        f'<Relationship Id="r{n}" Type="{relation}/{kind}" Target="{target}"/>'
        for n, (kind, target) in enumerate(parts, start=1)
    )
    return f"<Relationships>{''.join(found)}</Relationships>"


def _cell(value):
    if value is None:
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def ods(*lines):
    """One sheet; numbers, text, and dates as ("2024-05-06",)."""
    rows = "".join(
        f"<table:table-row>{''.join(map(_ods_cell, line))}</table:table-row>" for line in lines
    )
    names = "".join(
        f' xmlns:{name}="{_OPEN_DOCUMENT}:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f"<office:document-content{names}><office:body><office:spreadsheet>"
        f'<table:table table:name="S">{rows}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return zipped(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "META-INF/manifest.xml": "<manifest/>",
            "content.xml": content,
        }
    )


def _ods_cell(value):
    kind, attribute = "string", ""
    if isinstance(value, tuple):
        kind, attribute = "date", f' office:date-value="{value[0]}"'
    elif isinstance(value, float):
        kind, attribute = "float", f' office:value="{value}"'
    return (
        f'<table:table-cell office:value-type="{kind}"{attribute}>'
        f"<text:p>{value}</text:p></table:table-cell>"
    )


def zipped(parts):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def xls():
    """Written by a spreadsheet program; its format is too old to be made here."""
    return zlib.decompress(base64.b64decode(_XLS))


def every_kind():
    """Name of a kind -> (what Table.kind says, Table.encoding, the bytes)."""
    return {
        "json": ("json", "UTF-8", json.dumps(ROWS).encode()),
        "pretty json": ("json", "UTF-8", json.dumps(ROWS, indent=2, ensure_ascii=False).encode()),
        "json, a row a line": (
            "json",
            "UTF-8",
            ("[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n").encode(),
        ),
        "json lines": ("jsonl", "UTF-8", json_lines().encode()),
        "crlf": ("jsonl", "UTF-8", b"\n" + json_lines().replace("\n", "\r\n\r\n").encode()),
        "glued objects": ("jsonl", "UTF-8", json_lines().replace("\n", "").encode()),
        "pretty objects": (
            "jsonl",
            "UTF-8",
            "\n".join(json.dumps(row, indent=1) for row in ROWS).encode(),
        ),
        "columns": (
            "json",
            "UTF-8",
            json.dumps({name: [row[name] for row in ROWS] for name in COLUMNS}).encode(),
        ),
        "columns of pandas": (
            "json",
            "UTF-8",
            json.dumps(
                {name: {str(n): r[name] for n, r in enumerate(ROWS)} for name in COLUMNS}
            ).encode(),
        ),
        "rows of pandas": ("json", "UTF-8", json.dumps(dict(enumerate(ROWS))).encode()),
        "csv": ("csv", "UTF-8", separated(",").encode()),
        "semicolons": ("csv", "UTF-8", separated(";").encode()),
        "csv that begins with sep=": ("csv", "UTF-8", b"sep=|\n" + separated("|").encode()),
        "tsv": ("tsv", "UTF-8", separated("\t").encode()),
        "parquet": ("parquet", "Parquet", parquet()),
        "arrow stream": ("arrow", "Arrow", arrow()),
        "arrow file": ("arrow", "Arrow", arrow(stream=False)),
        "xlsx": ("excel", "Excel", xlsx(CELLS)),
        "xls": ("excel", "Excel", xls()),
        "ods": ("excel", "Excel", ods(*CELLS)),
        "gzip": ("jsonl", "UTF-8", gzip.compress(json_lines().encode(), mtime=0)),
        "gzip of parquet": ("parquet", "Parquet", gzip.compress(parquet(), mtime=0)),
        "utf-8 with a mark": ("jsonl", "UTF-8", json_lines().encode("utf-8-sig")),
        "utf-16": ("jsonl", "UTF-16", json_lines().encode("utf-16")),
        "utf-16-be": ("jsonl", "UTF-16", b"\xfe\xff" + json_lines().encode("utf-16-be")),
        "utf-16 without a mark": ("jsonl", "UTF-16", json_lines().encode("utf-16-le")),
        "gb18030": ("csv", "GB18030", separated(",").encode("gb18030")),
        "gbk": ("jsonl", "GB18030", json_lines().encode("gbk")),
    }


def every_kind_of_several_parts():
    """As every_kind, for files that call parts of the same rows something, and these splits."""
    parts = {"train": ROWS[:1], "test": ROWS[1:]}
    halves = {"train": (0, 1), "test": (1, 2)}
    return {
        "object of splits": ("json", "UTF-8", json.dumps(parts).encode(), halves),
        "splits in an object": ("json", "UTF-8", json.dumps({"data": parts}).encode(), halves),
        "rows in an object, beside other values": (
            "json",
            "UTF-8",
            json.dumps({"version": "1", "data": ROWS}).encode(),
            {"data": (0, 2)},
        ),
        "xlsx, sheets of the same columns": (
            "excel",
            "Excel",
            xlsx(CELLS[:2], [CELLS[0], CELLS[2]]),
            {"S1": (0, 1), "S2": (1, 2)},
        ),
    }


def every_kind_of_text():
    """Rows of text alone -> (kind, encoding, the bytes)."""
    quoted = "text\n" + "".join(f'"{text}"\n' for text in TEXTS)
    return {
        "csv of one column in quotes": ("csv", "UTF-8", quoted.encode()),
        "plain text, paragraphs": ("text", "UTF-8", "\n\n".join(TEXTS).encode()),
        "plain text, lines": ("text", "UTF-8", "\n".join(TEXTS).encode()),
    }
