"""Documents, pages and pointers in the place of a dataset: each is named, none is read as text."""

import pytest

from engine.dataset.reading.read import read_table
from engine.errors import UserError
from tests.dataset.made_files import zipped


def refusal(folder, content, name):
    path = folder / name
    path.write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_table(path)
    return raised.value.sentence


@pytest.mark.parametrize(
    ("content", "what", "what_zh"),
    [
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF document", "PDF 文档"),
        (b"{\\rtf1\\ansi Hello}", "an RTF document", "RTF 文档"),
        (b"\n<!DOCTYPE html>\n<p>Hi", "an HTML page", "HTML 网页"),
        (b'\xef\xbb\xbf<HTML lang="en">Hi', "an HTML page", "HTML 网页"),
        (zipped({"word/document.xml": ""}), "a Word document", "Word 文档"),
        (zipped({"ppt/slides/s1.xml": ""}), "a PowerPoint presentation", "PowerPoint 演示文稿"),
        (zipped({"META-INF/container.xml": ""}), "an EPUB book", "EPUB 电子书"),
    ],
)
@pytest.mark.parametrize("name", ["data.json", "data.csv", "data.txt"])
def test_documents_and_pages_are_named(tmp_path, content, what, what_zh, name):
    assert refusal(tmp_path, content, name) == (
        f"{name} is {what}, not a dataset. Save its text as plain text (.txt), or its table as CSV "
        "or .xlsx, and choose that file.",
        f"{name} 是{what_zh}，不是数据集。请把文字另存为纯文本（.txt），"
        "或把表格另存为 CSV 或 .xlsx，再选择那个文件。",
    )


def test_a_pointer_to_a_file(tmp_path):
    """A clone without Git LFS leaves it in the place of a dataset: three lines of text."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    assert refusal(tmp_path, pointer, "train.jsonl").en == (
        "train.jsonl is a pointer of Git LFS, not the file that it stands for; fetch that with "
        "git lfs pull, or download it from the page where it lies."
    )
