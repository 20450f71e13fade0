"""Words of what a run has learned: its card, its answers over time, runs beside each other."""

from engine.errors import Sentence

WORDS = {
    "learned_title": Sentence("Did it learn?", "学会了吗？"),
    "learned_base": Sentence("base", "底座"),
    "learned_adapter": Sentence("with adapter", "加适配器"),
    "learned_not_measured": Sentence("not measured", "没有测量"),
    "learned_loss_help": Sentence(
        "Loss a token: how surprised it is by the text; shorter is better.",
        "每个 token 的损失：它对文字有多意外，越短越好。",
    ),
    "timeline_step": Sentence("Step of the answer", "第几步的回答"),
    "timeline_play": Sentence("Play from the start", "从头播放"),
    "compare_pick": Sentence("Compare {name}", "比较 {name}"),
    "compare_title": Sentence("Runs beside each other", "训练对比"),
    "compare_one": Sentence(
        "Tick one more run to see the two beside each other.",
        "再勾选一次训练，就能把它们放在一起看。",
    ),
    "compare_most": Sentence(
        "The first {most} that you ticked are shown; more cannot be told apart.",
        "只显示最先勾选的 {most} 个，再多就分不清了。",
    ),
    "compare_along": Sentence("Along", "横轴"),
    "compare_step": Sentence("steps", "步"),
    "compare_tokens": Sentence("tokens", "token"),
    "compare_seconds": Sentence("seconds", "秒"),
    "compare_only": Sentence("Differences only", "只看不同的设置"),
    "compare_clear": Sentence("Clear", "清除"),
    "compare_lines": Sentence(
        "Whole lines: smoothed loss. Dashed: eval loss.", "实线：平滑后的损失；虚线：验证损失。"
    ),
    "compare_no_time": Sentence(
        "{names}: no times were kept, so no curve along seconds.",
        "{names}：没有记录时间，无法按秒画曲线。",
    ),
    "compare_no_curve": Sentence("No step is logged yet.", "还没有记录到任何一步。"),
    "compare_said": Sentence("Loss curves of {names}", "{names} 的损失曲线"),
    "compare_results": Sentence("Results", "结果"),
    "compare_settings": Sentence("Settings", "设置"),
    "compare_same": Sentence("All settings are the same.", "所有设置都相同。"),
    "compare_state": Sentence("State", "状态"),
    "compare_verdict": Sentence("Did it learn?", "学会了吗？"),
    "compare_loss": Sentence("Loss at last, smoothed", "最后的损失（平滑）"),
    "compare_eval": Sentence("Eval loss at last", "最后的验证损失"),
    "compare_best": Sentence("Eval loss at best", "最低验证损失"),
    "compare_best_at": Sentence("{loss} at step {step}", "{loss}（第 {step} 步）"),
    "compare_time": Sentence("Time", "用时"),
    "compare_speed": Sentence("Speed", "速度"),
    "compare_peak": Sentence("Peak memory", "内存峰值"),
    "report_download": Sentence("Download the report", "下载报告"),
}
