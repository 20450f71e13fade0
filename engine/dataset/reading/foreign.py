"""Files that hold words, but not as a dataset does: pages, documents, slides."""

import io
import re
import zipfile

from engine.dataset.reading.refusal import refusal
from engine.errors import Sentence, UserError

_PDF = Sentence("a PDF document", "PDF 文档")
_RTF = Sentence("an RTF document", "RTF 文档")
_HTML = Sentence("an HTML page", "HTML 网页")
_IN_ZIP = {
    "word/": Sentence("a Word document", "Word 文档"),
    "ppt/": Sentence("a PowerPoint presentation", "PowerPoint 演示文稿"),
    "META-INF/container.xml": Sentence("an EPUB book", "EPUB 电子书"),
}
_PAGE_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE)


def refuse_foreign(raw: bytes, name: str) -> None:
    """Raises UserError for what is no table and no plain text, though words stand in it."""
    if raw.startswith(b"%PDF-"):
        raise _no_dataset(name, _PDF)
    if raw.startswith(b"{\\rtf"):
        raise _no_dataset(name, _RTF)
    if _PAGE_BEGINS.match(raw):
        raise _no_dataset(name, _HTML)
    if raw.startswith(b"version https://git-lfs"):
        raise refusal(
            f"{name} is a pointer of Git LFS, not the file that it stands for; fetch that with "
            "git lfs pull, or download it from the page where it lies.",
            f"{name} 是 Git LFS 的指针，不是它所代表的文件；请用 git lfs pull 获取，"
            "或从网页上下载原文件。",
        )
    if raw.startswith(b"PK\x03\x04"):
        _refuse_office(raw, name)


def _refuse_office(raw: bytes, name: str) -> None:
    try:
        entries = zipfile.ZipFile(io.BytesIO(raw)).namelist()
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError):
        return  # who reads workbooks says that it is broken
    for begin, what in _IN_ZIP.items():
        if any(entry.startswith(begin) for entry in entries):
            raise _no_dataset(name, what)


def _no_dataset(name: str, what: Sentence) -> UserError:
    return refusal(
        f"{name} is {what.en}, not a dataset. Save its text as plain text (.txt), or its table as "
        "CSV or .xlsx, and choose that file.",
        f"{name} 是{what.zh}，不是数据集。请把文字另存为纯文本（.txt），"
        "或把表格另存为 CSV 或 .xlsx，再选择那个文件。",
    )
