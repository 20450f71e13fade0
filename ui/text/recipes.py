"""Words of the recipes at the top of the Train tab."""

from engine.errors import Sentence

WORDS = {
    "recipes_choose": Sentence("Recipe", "配方"),
    "recipes_choose_help": Sentence(
        "the settings of a known system, to begin with", "已知系统的一套设置，作为起点"
    ),
    "recipes_none": Sentence("none: the form as it stands", "不用配方：表单保持原样"),
    "recipes_version": Sentence("Version", "版本"),
    "recipes_tutorial": Sentence("as in the tutorial", "按教程原样"),
    "recipes_today": Sentence("today", "今天的做法"),
    "recipes_fill": Sentence("Fill the form with it", "填入表单"),
    "recipes_filled": Sentence(
        "The form is filled with this recipe; your data stays chosen. Chat takes its settings over "
        "where it names some.",
        "表单已按配方填好，选中的数据不变；配方写明的对话设置也已填入“对话”页。",
    ),
    "recipes_model": Sentence("Base model", "基础模型"),
    "recipes_data": Sentence("Made for", "适用数据"),
    "recipes_gpu": Sentence("Needs", "需要"),
    "recipes_generation": Sentence("In chat", "对话设置"),
    "recipes_greedy": Sentence("greedy: always the likeliest word", "贪心：总取最可能的词"),
    "recipes_predicting": Sentence("Predicting the memory …", "正在预测显存……"),
    "recipes_peak": Sentence("{peak} GiB", "{peak} GiB"),
    "recipes_of_card": Sentence(
        "predicted, of a card of {size} GiB", "预测值，按 {size} GiB 的显卡计算"
    ),
    "recipes_of_device": Sentence("predicted, on {device}", "预测值，在 {device} 上"),
    "recipes_too_large": Sentence(
        "predicted, too large for a card of {size} GiB", "预测值，{size} GiB 的显卡放不下"
    ),
    "recipes_unknown": Sentence(
        "Memory is known once the model's config is here.", "拿到模型的配置文件后才知道显存。"
    ),
    "recipes_difference": Sentence("Where the memory differs: {parts}.", "显存差在：{parts}。"),
    "recipes_part": Sentence("{part} {before} → {after} GiB", "{part} {before} → {after} GiB"),
    "recipes_joined": Sentence(", ", "、"),
    "recipes_options": Sentence("{count} options differ", "{count} 项设置不同"),
    "recipes_on": Sentence("on", "开"),
    "recipes_off": Sentence("off", "关"),
}
