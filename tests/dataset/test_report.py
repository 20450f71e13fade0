"""The report of a dataset as a file, whole, in both languages."""

from engine.dataset.making.report import Repaired, markdown
from engine.dataset.meaning.formats import TITLES
from engine.dataset.meaning.reasons import NO_ANSWER
from engine.errors import Sentence

FACTS = {
    "name": "my `rows`.csv",
    "format": "pairs",
    "format_title": TITLES["pairs"]._asdict(),
    "encoding": "utf-8",
    "rows": 1234,
    "usable": 1230,
    "mapping": {"ask": "user", "{x}": "assistant"},
    "splits": {},
    "dropped": [{"reason": NO_ANSWER._asdict(), "count": 4}],
    "sha256": "ab12",
    "made_at": "2026-11-21 08:00",
}
LOOKED = FACTS | {
    "dropped": [],
    "splits": {"train": 1000, "test": 234},
    "total_tokens": 5000,
    "trained_tokens": 2000,
    "lengths": {"truncated": 3},
    "zero_label_rows": 0,
    "problems": [
        {"kind": "html", "rows": 2, "advice": Sentence("Remains:\n# {x}.", "残留。")._asdict()}
    ],
}


def test_what_was_read_and_repaired():
    assert markdown(FACTS, "en", [Repaired("duplicates", 1200, 0)]) == (
        "# Dataset report: `my 'rows'.csv`\n\n"
        "- Format: question and answer columns (`pairs`)\n"
        "- Encoding: UTF-8\n"
        "- Rows in the file: 1,234\n"
        "- Conversations to learn from: 1,230\n"
        "- Columns: `ask` = user, `{x}` = assistant\n"
        "- SHA-256 of the file: `ab12`\n"
        "- Report made (UTC): 2026-11-21 08:00\n\n"
        "## Left out\n\n- 4 rows: it has no answer\n\n"
        "## Repairs made\n\n- `duplicates`: 1,200 rows removed, 0 changed\n"
    )


def test_what_the_doctor_found_and_what_it_was_made_from():
    """Its headings stand below those of the copy, and the doctor's words on one line."""
    source = markdown(FACTS, "zh", [])
    page = markdown(LOOKED, "zh", source=source)
    assert page == (
        "# 数据报告：`my 'rows'.csv`\n\n"
        "- 格式：问答两列 (`pairs`)\n"
        "- 编码：UTF-8\n"
        "- 文件中的行数：1,234\n"
        "- 可学习的对话：1,230\n"
        "- 各列的用途：`ask` = user, `{x}` = assistant\n"
        "- 文件自带的划分：`train` 1,000, `test` 234\n"
        "- 文件的 SHA-256：`ab12`\n"
        "- 报告生成时间（UTC）：2026-11-21 08:00\n\n"
        "## 未采用的数据\n\n- 没有。\n\n"
        "## 模型学到什么\n\n"
        "- 共 5,000 个 token，其中学习 2,000 个；3 行超过最大长度被截断，0 行没有可学的。\n\n"
        "## 体检结果\n\n- `html`，2 行：残留。\n\n"
        "## 由什么数据得来\n\n" + source.replace("\n## ", "\n#### ").replace("# 数", "### 数", 1)
    )
    assert "- `html`, 2 rows: Remains: # {x}.\n" in markdown(LOOKED, "en")


def test_reports_of_reports_stay_headings():
    page = ""
    for _ in range(5):
        page = markdown(FACTS, "en", source=page)
    hashes = {line.split()[0] for line in page.splitlines() if line.startswith("#")}
    assert hashes == {"#" * n for n in range(1, 7)}
