"""Words of memory on the Train tab: its parts, what takes less, a plan, what was measured."""

from engine.errors import Sentence

WORDS = {
    "fitting_predicted": Sentence(
        "Memory, predicted {peak} GiB of {total} GiB on {device}",
        "预计占用 {peak} GiB，{device} 共 {total} GiB",
    ),
    "fitting_part_weights": Sentence("weights", "权重"),
    "fitting_part_adapter": Sentence("adapter", "适配器"),
    "fitting_part_gradients": Sentence("gradients", "梯度"),
    "fitting_part_optimizer": Sentence("optimiser", "优化器"),
    "fitting_part_activations": Sentence("activations", "激活"),
    "fitting_part_loss_head": Sentence("loss", "loss 计算"),
    "fitting_part_workspace": Sentence("workspace", "工作区"),
    "fitting_part_runtime": Sentence("runtime", "运行环境"),
    "fitting_micro_steps": Sentence("Micro-steps", "微步"),
    "fitting_one_micro_step": Sentence(
        "one a step, of up to {tokens} tokens", "每步一个，最多 {tokens} 个 token"
    ),
    "fitting_some_micro_steps": Sentence(
        "about {count} a step, of up to {tokens} tokens each",
        "每步约 {count} 个，每个最多 {tokens} 个 token",
    ),
    "fitting_loss_note": Sentence(
        "The loss is the mean over a step's trained tokens. How a step is cut into micro-steps "
        "changes memory and speed, not what is learned.",
        "loss 是一步中所有要学的 token 的平均。怎样切成微步只影响显存和速度，不影响学到什么。",
    ),
    "fitting_to_fit": Sentence("To make it fit", "怎样才放得下"),
    "fitting_use_less": Sentence("Use less memory", "想省一些显存"),
    "fitting_one_click": Sentence(
        "One click sets the fields of the form.", "点一下就会填好表单里的选项。"
    ),
    "fitting_gib": Sentence("{peak} GiB", "{peak} GiB"),
    "fitting_slower": Sentence("+{percent} % time", "用时 +{percent}%"),
    "fitting_faster": Sentence("−{percent} % time", "用时 −{percent}%"),
    "fitting_same_time": Sentence("same time", "用时不变"),
    "fitting_fits": Sentence("fits", "放得下"),
    "fitting_too_large": Sentence("too large", "放不下"),
    "fitting_plan_for": Sentence("Plan for a card of (GiB)", "为别的显卡规划（GiB）"),
    "fitting_plan_help": Sentence("0 or empty: this machine only", "0 或留空：只看本机"),
    "fitting_plan": Sentence("Plan: on a card of {size} GiB", "规划：在 {size} GiB 的显卡上"),
    "fitting_plan_fits": Sentence("It would fit: about {peak} GiB", "放得下：约 {peak} GiB"),
    "fitting_plan_too_large": Sentence(
        "It would not fit: about {peak} GiB", "放不下：约需 {peak} GiB"
    ),
    "fitting_plan_cut": Sentence("Micro-steps: {cut}", "微步：{cut}"),
    "fitting_plan_note": Sentence(
        "Only a plan: Start trains on this machine.", "只是规划：「开始训练」仍在本机进行。"
    ),
    "fitting_plan_size": Sentence(
        "A card's memory lies between 1 and {largest} GiB; leave this empty for this machine.",
        "显卡的显存应在 1 到 {largest} GiB 之间；留空则只看本机。",
    ),
    "fitting_measure": Sentence("Measure it here", "在本机实测"),
    "fitting_measuring": Sentence("{doing} …", "{doing}……"),
    "fitting_measure_begins": Sentence("Starting a process of its own", "正在启动单独的进程"),
    "fitting_measured": Sentence("Measured: {peak} GiB at its peak", "实测：最高 {peak} GiB"),
    "fitting_measured_part": Sentence("Measured, as far as it fitted", "实测：放得下的部分"),
    "fitting_at_tokens": Sentence("At {tokens} tokens", "{tokens} 个 token 时"),
    "fitting_per_1000": Sentence("Each 1,000 more", "每多 1,000 个"),
    "fitting_foretold": Sentence("Predicted", "预测"),
    "fitting_error_high": Sentence(
        "{peak} GiB, {percent} % too much", "{peak} GiB，高估 {percent}%"
    ),
    "fitting_error_low": Sentence(
        "{peak} GiB, {percent} % too little", "{peak} GiB，低估 {percent}%"
    ),
}
