"""Words of what is kept of a conversation: rows for the next dataset, and files."""

from engine.errors import Sentence

WORDS = {
    "keep_box": Sentence("Keep an answer, take the talk along", "留下好回答，导出对话"),
    "keep_how": Sentence(
        "What was good, or what should have been said, becomes a row of a dataset: the talk up to "
        "the last answer, without the greeting.",
        "把好的回答，或者你认为该说的话，变成数据集里的一行："
        "到最后一个回答为止的整段对话（不含开场白）。",
    ),
    "keep_whose": Sentence("Whose last answer", "谁的最后一个回答"),
    "keep_into": Sentence("Into", "存入"),
    "keep_new": Sentence("a new dataset", "新数据集"),
    "keep_copied": Sentence("{name} (a copy)", "{name}（另存副本）"),
    "keep_name": Sentence("Its name", "名称"),
    "keep_good": Sentence("This answer was good", "这个回答很好"),
    "keep_better": Sentence("I would have said …", "换成我会这样说……"),
    "keep_words": Sentence("I would have said", "我会这样说"),
    "keep_words_help": Sentence(
        "Learned instead of the answer; both together are kept as a preference too.",
        "训练时以它代替原回答；两者还会一起存为一条偏好数据。",
    ),
    "keep_save": Sentence("Keep my words", "保存我的说法"),
    "keep_done": Sentence(
        "Kept in {dataset}; rows there now: {rows}.", "已存入 {dataset}，现有 {rows} 行。"
    ),
    "keep_blind": Sentence(
        "Vote first: this would tell whose answer it is.", "请先投票：否则会泄露这是谁的回答。"
    ),
    "keep_known": Sentence(
        "{dataset} has this row already; nothing was added.",
        "{dataset} 里已有这一行，没有重复添加。",
    ),
    "keep_pair": Sentence(
        "The preference is in {dataset} ({rows}).", "偏好数据已存入 {dataset}（共 {rows} 条）。"
    ),
    "keep_no_answer": Sentence(
        "{name} has not answered yet; ask something first.", "{name} 还没有回答，请先提个问题。"
    ),
    "keep_nobody": Sentence(
        "Nobody has answered yet; ask something first.", "还没有人回答，请先提个问题。"
    ),
    "keep_see": Sentence("See it on the Data tab", "到「数据」页查看"),
    "keep_form": Sentence("The whole talk as", "整段对话导出为"),
    "keep_form_markdown": Sentence("Markdown", "Markdown"),
    "keep_form_json": Sentence("JSON", "JSON"),
    "keep_form_rows": Sentence("rows for a dataset", "数据集的行"),
    "keep_export": Sentence("Export", "导出"),
    "keep_download": Sentence("Download {name}", "下载 {name}"),
}
