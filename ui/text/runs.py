"""Words of the Runs tab."""

from engine.errors import Sentence

WORDS = {
    "runs_empty": Sentence(
        "No runs yet. Choose data, press Start on the Train tab, and every run is kept here with "
        "its curve, its report and its adapter.",
        "还没有训练记录。选好数据，在「训练」页点「开始」；每次训练的曲线、报告和适配器都会留在这里。",
    ),
    "runs_empty_go": Sentence("Go to Train", "去训练"),
    "runs_caption": Sentence("All runs, newest first", "全部训练，新的在前"),
    "runs_col_name": Sentence("Run", "训练"),
    "runs_col_state": Sentence("State", "状态"),
    "runs_col_curve": Sentence("Curve", "曲线"),
    "runs_col_loss": Sentence("Loss", "损失"),
    "runs_col_eval": Sentence("Eval loss", "验证损失"),
    "runs_col_time": Sentence("Time", "用时"),
    "runs_col_peak": Sentence("Peak memory", "内存峰值"),
    "runs_col_made": Sentence("Begun", "开始于"),
    "runs_steps": Sentence("step {step} of {steps}", "第 {step} / {steps} 步"),
    "runs_left": Sentence("{time} left", "还剩 {time}"),
    "runs_curve": Sentence(
        "Loss from {first} to {last} in {steps} steps", "{steps} 步之内，损失从 {first} 到 {last}"
    ),
    "runs_no_curve": Sentence("no step logged yet", "还没有记录到任何一步"),
    "runs_legend_loss": Sentence("loss, smoothed", "平滑后的损失"),
    "runs_legend_eval": Sentence("eval loss", "验证损失"),
    "runs_seconds": Sentence("{s} s", "{s} 秒"),
    "runs_minutes": Sentence("{m} min {s} s", "{m} 分 {s} 秒"),
    "runs_hours": Sentence("{h} h {m} min", "{h} 小时 {m} 分"),
    "runs_today": Sentence("today {clock}", "今天 {clock}"),
    "runs_month_day": Sentence("{day} {month} {clock}", "{number}月{day}日 {clock}"),
    "runs_open": Sentence("Open in Train", "在「训练」页打开"),
    "runs_talk": Sentence("Talk to it", "和它对话"),
    "runs_resume": Sentence("Resume", "继续训练"),
    "runs_clone": Sentence("Clone into the form", "照这份设置再来"),
    "runs_rename": Sentence("Rename", "改名"),
    "runs_download": Sentence("Download the adapter", "下载适配器"),
    "runs_line_forward": Sentence("Move forward in line", "往前排"),
    "runs_line_back": Sentence("Move back in line", "往后排"),
    "runs_line_leave": Sentence("Leave the line", "退出排队"),
    "runs_line_beside": Sentence("Start now, beside the others", "现在就开始，同时训练"),
    "runs_waiting_help": Sentence(
        "It begins by itself when its device is free, also with this page closed.",
        "设备空出来就会自动开始，关掉本页也不影响。",
    ),
    "runs_delete": Sentence("Delete", "删除"),
    "runs_new_name": Sentence("New name", "新名字"),
    "runs_new_name_help": Sentence(
        "Its id and its folder stay as they are.", "编号和文件夹不变，只改显示的名字。"
    ),
    "runs_save_name": Sentence("Save the name", "保存名字"),
    "runs_leave_name": Sentence("Leave it", "不改了"),
    "runs_delete_question": Sentence(
        "Delete {name} ({id})? Its adapter, checkpoints, curve and report are gone then; nothing "
        "brings them back.",
        "确定删除 {name}（{id}）吗？它的适配器、检查点、曲线和报告都会一并删除，无法找回。",
    ),
    "runs_delete_yes": Sentence("Delete it", "确定删除"),
    "runs_delete_no": Sentence("Keep it", "留着"),
    "runs_deleted": Sentence("{name} is deleted.", "{name} 已删除。"),
    "runs_renamed": Sentence("It is called {name} now.", "名字已改为 {name}。"),
    "runs_packing": Sentence("Packing the adapter of {name}", "正在打包 {name} 的适配器"),
    "runs_packed": Sentence(
        "{file} ({size}) is on its way to your downloads.", "{file}（{size}）正在下载。"
    ),
    "runs_report": Sentence("Report", "报告"),
    "runs_report_later": Sentence(
        "The report is written when the run ends. Until then, open it in Train to watch it.",
        "训练结束后会生成报告。现在可以在「训练」页打开它，看它进行到哪里。",
    ),
    "runs_report_none": Sentence(
        "It ended without a report; its settings and its curve are kept, and the log is in Train.",
        "它结束时没有写出报告；设置和曲线都还在，日志可以在「训练」页查看。",
    ),
    "runs_resume_help": Sentence(
        "Resume goes on from its last checkpoint, the curve unbroken.",
        "点「继续训练」会从最近的检查点接着训练，曲线不断。",
    ),
    "runs_alive_help": Sentence(
        "It is training now. Stop it in Train before you delete it.",
        "它正在训练。要删除，请先在「训练」页停下它。",
    ),
}
