"""Words of the Data tab."""

from engine.errors import Sentence

WORDS = {
    "data_dataset": Sentence("Dataset", "数据集"),
    "data_upload": Sentence(
        "or drop a file: JSON, JSON Lines, CSV, Parquet",
        "或拖入文件：JSON、JSON Lines、CSV、Parquet",
    ),
    "data_remove": Sentence("Remove this upload", "移除这份上传"),
    "data_added": Sentence(
        "{name} is in your library; it stays on this machine.",
        "{name} 已放入你的数据；它只留在这台机器上。",
    ),
    "data_nothing": Sentence(
        "Choose a sample on the left, or drop a file of your own.",
        "请在左边选一份示例，或拖入你自己的文件。",
    ),
    "data_reading": Sentence(
        "Reading the data and turning it into tokens …", "正在读取数据并切分成 token……"
    ),
    "data_read_as": Sentence("Read as {format}, {encoding}.", "识别为 {format}，编码 {encoding}。"),
    "data_none_dropped": Sentence("Nothing dropped.", "没有丢弃任何数据。"),
    "data_dropped": Sentence("{count} rows dropped: {reason}", "丢弃 {count} 条：{reason}"),
    "data_row": Sentence("Row", "第几条"),
    "data_learn": Sentence("Learn", "学习哪些部分"),
    "data_learn_answers": Sentence("All answers", "所有回答"),
    "data_learn_last_answer": Sentence("Only the last answer", "只学最后一个回答"),
    "data_learn_everything": Sentence("Every token", "全部 token"),
    "data_view_learns": Sentence("What the model learns", "模型学到什么"),
    "data_view_table": Sentence("Table", "表格"),
    "data_view_conversation": Sentence("Conversation", "对话"),
    "data_view_prompt": Sentence("Prompt", "提示词原文"),
    "data_mark_learned": Sentence("learned", "要学的"),
    "data_mark_end": Sentence("end of turn, learned", "回合结束符，要学"),
    "data_mark_read": Sentence("read only", "只读不学"),
    "data_mark_cut": Sentence("cut off", "被截掉"),
    "data_share": Sentence("{share} %", "{share}%"),
    "data_of_tokens": Sentence(
        "Of {tokens} tokens the model learns {trained}.",
        "共 {tokens} 个 token，模型要学其中 {trained} 个。",
    ),
    "data_rows": Sentence("Rows", "条数"),
    "data_rows_all": Sentence("{rows}, all used", "{rows} 条，全部可用"),
    "data_rows_some": Sentence(
        "{rows} used, {dropped} dropped", "可用 {rows} 条，丢弃 {dropped} 条"
    ),
    "data_lengths": Sentence("Tokens a row", "每条 token 数"),
    "data_lengths_are": Sentence("half up to {p50}, longest {max}", "一半不超过 {p50}，最长 {max}"),
    "data_cut": Sentence("Cut at {length}", "超过 {length} 截断"),
    "data_cut_none": Sentence("no row", "没有"),
    "data_cut_some": Sentence(
        "{rows} rows lose {tokens} tokens", "{rows} 条，共失去 {tokens} 个 token"
    ),
    "data_zero": Sentence("Nothing to learn", "无可学内容"),
    "data_zero_rows": Sentence("{rows} rows", "{rows} 条"),
    "data_end_token": Sentence("End of turn", "回合结束符"),
    "data_end_yes": Sentence("learned", "会学到"),
    "data_end_no": Sentence("not learned: answers may never stop", "学不到，回答可能停不下来"),
    "data_doctor": Sentence("Doctor", "体检"),
    "data_healthy": Sentence("Nothing to complain about.", "没有发现问题。"),
    "data_problem": Sentence("{rows} rows", "{rows} 条"),
    "data_for_example": Sentence("For example row {rows}.", "例如第 {rows} 条。"),
    "data_not_conversation": Sentence(
        "This data is plain text: there is no conversation in it.",
        "这份数据是纯文本，里面没有对话。",
    ),
    "data_user": Sentence("user", "用户"),
    "data_assistant": Sentence("assistant", "助手"),
    "data_system": Sentence("system", "系统"),
    "data_table_page": Sentence("From row", "从第几条开始"),
    "data_table_shown": Sentence(
        "Rows {first} to {last} of {total}; long cells are cut here, not in training.",
        "第 {first} 到 {last} 条，共 {total} 条；过长的单元格只在这里截短，训练时不会。",
    ),
    "data_convert_title": Sentence("Convert and download", "转换格式并下载"),
    "data_convert_to": Sentence("To", "转成"),
    "data_convert": Sentence("Convert", "转换"),
    "data_download": Sentence("Download", "下载"),
    "data_as_messages": Sentence("messages (chat)", "messages（多轮对话）"),
    "data_as_alpaca": Sentence(
        "instruction / input / output (Alpaca)", "instruction / input / output（Alpaca）"
    ),
    "data_as_sharegpt": Sentence("conversations (ShareGPT)", "conversations（ShareGPT）"),
    "data_as_prompt-completion": Sentence("prompt / completion", "prompt / completion"),
    "data_as_context-target": Sentence("context / target (ChatGLM)", "context / target（ChatGLM）"),
    "data_as_text": Sentence("plain text", "纯文本"),
    "data_no_dataset": Sentence(
        "Choose a dataset first; there is nothing to convert.",
        "请先选一份数据，现在没有可转换的内容。",
    ),
    "data_go_train": Sentence("Train on this", "用它训练"),
}
