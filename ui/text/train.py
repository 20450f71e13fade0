"""Words of the Train tab: form, summary card, the run as it goes."""

from engine.errors import Sentence

WORDS = {
    "train_sprout": Sentence("sprout (comes with Greenroom)", "sprout（小芽，随本页附带）"),
    "train_advanced": Sentence("Advanced", "高级选项"),
    "train_advanced_one": Sentence(
        "Advanced · 1 differs from the default", "高级选项 · 1 项与默认值不同"
    ),
    "train_advanced_changed": Sentence(
        "Advanced · {count} differ from the default", "高级选项 · {count} 项与默认值不同"
    ),
    "train_thinking": Sentence("Looking at data, model and memory …", "正在检查数据、模型和内存……"),
    "train_summary": Sentence("What will happen", "即将进行"),
    "train_ready": Sentence("Ready", "可以开始"),
    "train_not_ready": Sentence("Not yet", "还不能开始"),
    "train_what": Sentence("{model} on {data}", "让 {model} 学习「{data}」"),
    "train_rows": Sentence("Rows", "数据"),
    "train_rows_split": Sentence(
        "{train} to learn from, {eval} kept for validation", "{train} 条用来学习，{eval} 条留作验证"
    ),
    "train_steps": Sentence("Steps", "步数"),
    "train_batch": Sentence("Each step", "每一步"),
    "train_batch_is": Sentence(
        "{rows} rows, about {tokens} tokens", "{rows} 条，约 {tokens} 个 token"
    ),
    "train_parameters": Sentence("Learns", "可训练"),
    "train_parameters_are": Sentence(
        "{trainable} of {total} parameters ({share} %)", "{total} 参数中的 {trainable}（{share}%）"
    ),
    "train_renamed": Sentence("Modules, by today's names", "模块的现用名"),
    "train_time": Sentence("Time", "用时"),
    "train_time_unknown": Sentence(
        "not known yet; the first run on this machine will tell",
        "还不清楚，在这台机器上训练一次就知道了",
    ),
    "train_memory_peak": Sentence("At its peak {peak} GiB", "最高占用 {peak} GiB"),
    "train_memory_measured": Sentence(
        "Memory now {own} GiB, at its peak {peak} GiB", "当前占用 {own} GiB，最高 {peak} GiB"
    ),
    "train_memory_reserved": Sentence(
        "Memory now {own} GiB, reserved {reserved} GiB, at its peak {peak} GiB",
        "当前占用 {own} GiB，已预留 {reserved} GiB，最高 {peak} GiB",
    ),
    "train_memory_devices": Sentence("Memory of each device", "各设备的显存"),
    "train_start": Sentence("Start training", "开始训练"),
    "train_starting": Sentence("Checking everything and starting …", "正在检查并启动……"),
    "train_busy": Sentence(
        "{name} is being trained at the moment. Wait for its end or stop it, then start this one.",
        "{name} 正在训练。请等它结束，或先停下它，再开始这一次。",
    ),
    "train_step": Sentence("step {step} of {steps}", "第 {step} / {steps} 步"),
    "train_left": Sentence("{left} left, ends {end}", "还剩 {left}，{end} 结束"),
    "train_took": Sentence(
        "step {step} of {steps}, took {time}", "第 {step} / {steps} 步，用时 {time}"
    ),
    "train_loss": Sentence("loss", "loss"),
    "train_eval": Sentence("eval", "验证"),
    "train_speed": Sentence("{speed} tokens/s", "{speed} token/秒"),
    "train_peak": Sentence("peak {peak} GiB", "最高 {peak} GiB"),
    "train_loss_nan": Sentence(
        "The loss is no longer a number: the steps are too big. Stop and lower the learning rate.",
        "loss 已经不是数字了，说明步子迈得太大。请停下，换一个更小的学习率。",
    ),
    "train_series_raw": Sentence("loss", "loss"),
    "train_series_smoothed": Sentence("smoothed", "平滑"),
    "train_series_eval": Sentence("eval", "验证"),
    "train_plot_says": Sentence(
        "Smoothed loss {loss} at step {step}; it began at {first}.",
        "第 {step} 步平滑后的 loss 为 {loss}，开始时是 {first}。",
    ),
    "train_curves": Sentence("Learning rate and gradient norm", "学习率与梯度范数"),
    "train_answers": Sentence("Answers to the fixed questions", "固定提问的回答"),
    "train_answers_none": Sentence(
        "Nothing yet: they are asked at the start and every few steps.",
        "还没有：开始时会问一遍，之后每隔几步再问。",
    ),
    "train_no_questions": Sentence(
        "No fixed questions were given. Next time, take some from the data (Advanced, Data).",
        "没有设置固定提问。下次可以从数据里取几个（高级选项的「数据」里）。",
    ),
    "train_watch": Sentence("Take three from the data", "从数据里取三个"),
    "train_watch_none": Sentence(
        "This data has no short question that begins a conversation; write some yourself.",
        "这份数据里没有可作开场的短问题，请自己写几个。",
    ),
    "train_at_step": Sentence("at step {step}", "第 {step} 步时"),
    "train_log": Sentence("Log", "日志"),
    "train_log_empty": Sentence("The log is empty so far.", "日志暂时是空的。"),
    "train_stop": Sentence("Stop", "停止"),
    "train_stop_ask": Sentence(
        "Stop now? What was learned up to here can be kept.",
        "现在停下吗？到目前为止学到的可以留下。",
    ),
    "train_in_line": Sentence(
        "It begins by itself when {names} has ended, also with this page closed.",
        "等 {names} 结束后会自动开始，关掉本页也不影响。",
    ),
    "train_in_line_next": Sentence(
        "It begins by itself in a moment, as soon as its device is free.",
        "设备一空出来就会自动开始。",
    ),
    "train_as_text": Sentence("As a command and as YAML", "命令行与 YAML"),
    "train_as_command": Sentence(
        "The same run from a shell, in Greenroom's folder",
        "在 Greenroom 文件夹中用命令行做同样的训练",
    ),
    "train_as_yaml": Sentence("The same run as a YAML file", "同样设置的 YAML 文件"),
    "train_paste": Sentence("Fill the form from text", "用文字填写表单"),
    "train_paste_help": Sentence(
        "a command or YAML as above; everything in the form is replaced",
        "粘贴上面那样的命令或 YAML；表单内容会全部替换",
    ),
    "train_paste_file": Sentence("Open a YAML file", "打开 YAML 文件"),
    "train_paste_large": Sentence(
        "This file is larger than 1 MB, so it is no configuration; choose another.",
        "这个文件超过 1 MB，不是配置文件，请另选一个。",
    ),
    "train_fill": Sentence("Fill the form", "填入表单"),
    "train_filled": Sentence("The form is filled.", "表单已填好。"),
    "train_command": Sentence("This run's command", "这次训练的命令"),
    "train_command_help": Sentence(
        "Goes on with it from a shell, in Greenroom's folder.",
        "在 Greenroom 文件夹里执行，可在命令行中接着训练。",
    ),
    "train_go_on": Sentence("Go on", "继续训练"),
    "train_stop_keep": Sentence("Stop and keep", "停下并保留"),
    "train_stop_delete": Sentence("Stop and delete", "停下并删除"),
    "train_resume": Sentence("Resume", "接着训练"),
    "train_talk": Sentence("Talk to it", "和它说话"),
    "train_another": Sentence("Train another", "再训练一个"),
    "train_link": Sentence("This run's address: ?run={run}", "这次训练的地址：?run={run}"),
    "train_deleted": Sentence("The run was stopped and deleted.", "这次训练已停止并删除。"),
}
