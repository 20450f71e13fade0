"""Words of many questions at once: what is asked, how far it is, what the figures mean."""

from engine.errors import Sentence

WORDS = {
    "judging_title": Sentence("Many questions at once", "一次问很多问题"),
    "judging_how": Sentence(
        "Asks every voice the same questions, side by side, and measures the answers. System "
        "prompt and sampling are those of the settings above, also what a single voice has of "
        "its own there.",
        "让每个声音回答同样的问题，并排比较并打分。系统提示词和采样用上面「设置」里的，"
        "单个声音自己的设置也起作用。",
    ),
    "judging_source": Sentence("Questions", "问题来源"),
    "judging_typed": Sentence("My own", "自己写"),
    "judging_drawn": Sentence("From a dataset, with its answers", "从数据集里取，带参考答案"),
    "judging_prompts": Sentence("Questions, one a line", "问题，每行一个"),
    "judging_prompts_hint": Sentence(
        "Who are you?\nTell me a tiny story.", "你是谁？\n讲个小故事吧。"
    ),
    "judging_dataset": Sentence("Dataset", "数据集"),
    "judging_dataset_help": Sentence(
        "the last answer of each conversation is the reference",
        "每段对话最后的回答作为参考答案",
    ),
    "judging_count": Sentence("How many", "问几个"),
    "judging_count_help": Sentence("drawn by the seed", "按随机种子抽取"),
    "judging_unseen": Sentence("Leave out what the voices were trained on", "不问训练时见过的"),
    "judging_preset": Sentence("Job", "任务"),
    "judging_plain": Sentence("Just ask", "直接提问"),
    "judging_rewrite": Sentence("Rewrite each text", "逐条改写"),
    "judging_rewrite_words": Sentence(
        "Rewrite the following text in your own voice and keep its meaning:",
        "请用你的口吻改写下面这段话，保持原意：",
    ),
    "judging_instruction": Sentence("Put before each question", "加在每个问题前面"),
    "judging_instruction_hint": Sentence("nothing", "不加"),
    "judging_run": Sentence("Ask all", "全部提问"),
    "judging_stop": Sentence("Stop", "停止"),
    "judging_empty": Sentence("Write a question first, one a line.", "请先写问题，每行一个。"),
    "judging_no_dataset": Sentence("Choose a dataset first.", "请先选择一个数据集。"),
    "judging_loading": Sentence("Loading the voices", "正在加载模型"),
    "judging_asked": Sentence("Reading the questions", "正在读问题"),
    "judging_answers": Sentence("{done} of {total} answers", "已答 {done} / {total}"),
    "judging_references": Sentence(
        "Reading the reference answers: {done} of {total}", "正在读参考答案：{done} / {total}"
    ),
    "judging_training": Sentence(
        "Looking for copies from the training rows", "正在查找照抄训练数据的地方"
    ),
    "judging_left": Sentence("{time} left", "还要{time}"),
    "judging_done": Sentence(
        "Answers: {answers}, in {time} s", "回答 {answers} 个，用时 {time} 秒"
    ),
    "judging_stopped": Sentence(
        "Stopped by you; figures are of what every voice had answered (questions: {rows}).",
        "已被你停下；下面的数字只算了所有声音都答完的 {rows} 个问题。",
    ),
    "judging_too_long": Sentence(
        "Left out, since they are longer than the model can read (questions: {count}).",
        "有 {count} 个问题超出模型的长度上限，没有问。",
    ),
    "judging_in_training": Sentence(
        "{count} of {total} reference answers stand word for word in the training rows: there the "
        "figures tell what was learned by heart, not what was understood.",
        "{total} 个参考答案中有 {count} 个就在训练数据里："
        "这些题的分数反映的是背得怎样，而不是学得怎样。",
    ),
    "judging_first": Sentence(
        "The first {shown} of {total} are shown; the files hold all.",
        "只显示前 {shown} 条，共 {total} 条；下载的文件里是全部。",
    ),
    "judging_summary": Sentence("By voice", "各声音的得分"),
    "judging_question": Sentence("Question", "问题"),
    "judging_reference": Sentence("Reference", "参考答案"),
    "judging_silent": Sentence("it said nothing", "它什么也没说"),
    "judging_pending": Sentence("not answered", "没有回答"),
    "judging_base": Sentence("base", "原模型"),
    "judging_download": Sentence("Download", "下载"),
    "judging_tokens": Sentence("Length, tokens", "长度（token）"),
    "judging_tokens_help": Sentence("mean of the answers", "回答的平均长度"),
    "judging_bleu": Sentence("BLEU", "BLEU"),
    "judging_bleu_help": Sentence(
        "runs of up to four words shared with the reference, 0 to 100",
        "与参考答案重合的词串（最长四个），0 到 100",
    ),
    "judging_rouge1": Sentence("ROUGE-1", "ROUGE-1"),
    "judging_rouge1_help": Sentence(
        "words shared with the reference, 0 to 1", "与参考答案重合的词，0 到 1"
    ),
    "judging_rouge2": Sentence("ROUGE-2", "ROUGE-2"),
    "judging_rouge2_help": Sentence(
        "pairs of words shared with the reference, 0 to 1", "与参考答案重合的相邻词对，0 到 1"
    ),
    "judging_rougeL": Sentence("ROUGE-L", "ROUGE-L"),
    "judging_rougeL_help": Sentence(
        "words shared in the same order, gaps allowed, 0 to 1",
        "按相同顺序出现的词（可以隔开），0 到 1",
    ),
    "judging_chrf": Sentence("chrF", "chrF"),
    "judging_chrf_help": Sentence(
        "runs of up to six characters shared with the reference, 0 to 100",
        "与参考答案重合的字符串（最长六个字符），0 到 100",
    ),
    "judging_loss": Sentence("Loss of the references", "参考答案的损失"),
    "judging_loss_help": Sentence(
        "nats a token; how surprised the voice is by them, lower is better",
        "每个 token 的 nat 数：它对参考答案有多意外，越低越好",
    ),
    "judging_perplexity": Sentence("Perplexity of the references", "参考答案的困惑度"),
    "judging_perplexity_help": Sentence(
        "among how many equally likely tokens it wavers at each step; 1 is certain",
        "每一步相当于在多少个同样可能的 token 中犹豫；1 表示完全确定",
    ),
    "judging_copied": Sentence("Copied from training", "照抄训练数据"),
    "judging_copied_help": Sentence(
        "share of its runs of 8 words (13 Chinese characters) that stand in the training rows",
        "连续 8 个词（中文 13 个字）与训练数据一字不差的比例",
    ),
}
