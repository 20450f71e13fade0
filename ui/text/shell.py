"""Words of the frame around the tabs: header, thread, memory strip, tab names."""

from engine.errors import Sentence

WORDS = {
    "shell_language": Sentence("en", "zh"),  # read by the page's script, never seen
    "shell_tagline": Sentence(
        "Fine-tune a model here, and hear it beside its base.",
        "在这里微调模型，再听它与原来的它同台作答。",
    ),
    "shell_data": Sentence("Data", "数据"),
    "shell_train": Sentence("Train", "训练"),
    "shell_runs": Sentence("Runs", "记录"),
    "shell_chat": Sentence("Chat", "对话"),
    "shell_export": Sentence("Export", "导出"),
    "shell_thread": Sentence("What is chosen", "当前选择"),
    "shell_part_data": Sentence("Data", "数据"),
    "shell_part_base": Sentence("Base", "底座"),
    "shell_part_run": Sentence("Run", "训练"),
    "shell_part_voices": Sentence("Voices", "声音"),
    "shell_choose_data": Sentence("choose data", "请先选数据"),
    "shell_choose_base": Sentence("choose a base model", "请先选基础模型"),
    "shell_no_run": Sentence("start one", "还没有训练"),
    "shell_no_voice": Sentence("base alone", "只有原模型"),
    "shell_rows": Sentence("{name} · {rows} rows", "{name} · {rows} 条"),
    "shell_run_going": Sentence(
        "{name} · step {step} of {steps}", "{name} · 第 {step} / {steps} 步"
    ),
    "shell_left": Sentence("{time} left", "还剩 {time}"),
    "shell_state_queued": Sentence("waiting in line", "排队中"),
    "shell_in_line": Sentence("{place} in line", "排在第 {place} 位"),
    "shell_state_starting": Sentence("starting", "正在启动"),
    "shell_state_running": Sentence("running", "进行中"),
    "shell_state_stopping": Sentence("stopping", "正在停止"),
    "shell_state_stopped": Sentence("stopped", "已停止"),
    "shell_state_finished": Sentence("finished", "已完成"),
    "shell_state_failed": Sentence("failed", "失败"),
    "shell_no_gpu": Sentence("No GPU found. Memory of this machine", "未发现显卡，以下是本机内存"),
    "shell_memory": Sentence(
        "{own} GiB Greenroom · {others} others · {free} free of {total}",
        "本页占用 {own} GiB · 其他 {others} · 空闲 {free} / 共 {total}",
    ),
    "shell_open": Sentence(
        "Anyone who can reach this machine can use this page: it listens on {host} without a "
        "password. Set GREENROOM_AUTH=user:password, or GRADIO_SERVER_NAME=127.0.0.1.",
        "本页正在 {host} 上监听且没有密码，能连到这台机器的人都能使用。"
        "请设置 GREENROOM_AUTH=用户名:密码，或改用 GRADIO_SERVER_NAME=127.0.0.1。",
    ),
    "shell_unknown_run": Sentence(
        "There is no run called {run} here. The Runs tab lists those there are.",
        "这里没有名为 {run} 的训练。现有的都在「记录」页里。",
    ),
}
