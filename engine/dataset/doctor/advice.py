"""What the dataset doctor says of each kind of finding: what it does to training, its repair."""

from typing import NamedTuple

from engine.errors import Sentence


class Advice(NamedTuple):
    """`words` may hold {places} that the finding fills; `title` names the repair, None for none."""

    severity: str  # "bad" spoils training, "mild", "info"
    words: Sentence
    title: Sentence | None = None


ADVICE: dict[str, Advice] = {
    "nothing_to_learn": Advice(
        "bad",
        Sentence(
            "No answer lies within the first {max_length} tokens, so these rows teach nothing. "
            'Raise "Longest row, tokens" (max_length).',
            "前 {max_length} 个 token 里没有回答，这些行什么也教不了。"
            "请调大“最长一条（token）”（max_length）。",
        ),
    ),
    "end_not_learned": Advice(
        "bad",
        Sentence(
            "No row teaches where an answer ends, so the tuned model may talk on and on. "
            'Raise "Longest row, tokens" (max_length), or choose another template.',
            "没有一行教模型在哪里停下，微调后可能说个没完。"
            "请调大“最长一条（token）”（max_length），或换一个对话模板。",
        ),
    ),
    "leakage": Advice(
        "bad",
        Sentence(
            "Their question stands in the validation data too, so the validation loss will look "
            "better than the model is.",
            "同样的问题也在验证数据里，验证损失会显得比模型实际水平更好。",
        ),
        Sentence("Remove them from the training data", "从训练数据中删除"),
    ),
    "role_order": Advice(
        "bad",
        Sentence(
            "Two turns of one side follow each other, or the assistant speaks first: chat "
            "templates refuse that, so these rows are left out.",
            "同一方连说两轮，或由助手先开口：对话模板不接受，这些行没有用上。",
        ),
        Sentence(
            "Join turns of one side; leave out what the assistant says before the first question",
            "合并同一方的连续发言；去掉第一个问题之前助手说的话",
        ),
    ),
    "empty_answers": Advice(
        "bad",
        Sentence(
            "They have no answer and are left out; many of them mean that a column was mistaken "
            "for the answer.",
            "没有回答，未使用。如果很多，可能是把别的列当成了回答。",
        ),
        Sentence("Leave them out of the new file", "新文件中不含这些行"),
    ),
    "list_answers": Advice(
        "bad",
        Sentence(
            "Their answer is a list, not a text, so they are left out.",
            "回答是列表而不是文本，这些行没有用上。",
        ),
        Sentence("Join each list into one answer, a line for each", "把列表合成一个回答，每项一行"),
    ),
    "mojibake": Advice(
        "bad",
        Sentence(
            "Garbled characters: the text was once read in a wrong encoding. The model would "
            "learn to write them.",
            "乱码：文本曾被用错误的编码读取，模型会学着写出乱码。",
        ),
        Sentence(
            "Restore the characters; remove rows where they are lost",
            "恢复原来的字符；无法恢复的行则删除",
        ),
    ),
    "placeholders": Advice(
        "bad",
        Sentence(
            "Placeholders that nobody filled ({names}): the model would say them as they stand.",
            "有未填写的占位符（{names}），模型会原样说出来。",
        ),
        Sentence("Fill them in", "填入内容"),
    ),
    "duplicates": Advice(
        "mild",
        Sentence(
            "Exact copies of earlier rows: they are learned more often than the rest. Where "
            "validation rows are drawn by chance, one copy may be learned, another validated on.",
            "与前面的行完全相同：会比其他行学得更多。随机抽取验证行时，"
            "相同的行可能一份用来学、一份用来验证。",
        ),
        Sentence("Keep the first of each", "各保留第一行"),
    ),
    "near_duplicates": Advice(
        "mild",
        Sentence(
            "They share at least about {percent} % of their words with another row and are learned "
            "almost twice. Rows that differ only in a short input to one long instruction may be "
            "among them: look at the examples.",
            "与另一行约有 {percent}% 以上的用词相同，等于几乎学了两遍。"
            "若许多行共用一段很长的指令、只有输入不同，也可能算在内，请先看示例。",
        ),
        Sentence("Keep the one with the longest answer", "保留回答最长的一行"),
    ),
    "two_answers": Advice(
        "mild",
        Sentence(
            "They hold two different answers, in {columns}; only one of them is learned. "
            "Choose the column that is meant.",
            "同一行有两个不同的回答（{columns} 列），只会学其中一个。请选定要用的列。",
        ),
    ),
    "ends_with_user": Advice(
        "mild",
        Sentence(
            "They end with a turn of the user that nobody answers; that turn is cut off.",
            "以用户的发言结尾，没有人回答；这一轮会被去掉。",
        ),
        Sentence("Write them without that turn", "新文件中不含这一轮"),
    ),
    "too_long": Advice(
        "mild",
        Sentence(
            "Longer than {max_length} tokens; the longest has {longest}. {tokens} tokens at "
            "their ends ({percent} % of all) are cut off and not learned.",
            "超过 {max_length} 个 token，最长的有 {longest} 个。末尾共 {tokens} 个 token"
            "（占全部的 {percent}%）会被截掉，学不到。",
        ),
    ),
    "reasoning_not_read": Advice(
        "mild",
        Sentence(
            "They reason before an answer, but this model's chat template leaves some of it out "
            "(many do so in earlier turns): that part is neither read nor learned. A base model "
            "whose template keeps it would learn it.",
            "回答前有思考过程，但这个模型的对话模板会去掉其中一部分（不少模板会去掉前几轮的），"
            "去掉的部分既读不到也学不到。换一个保留思考过程的基础模型就能学到。",
        ),
    ),
    "control_characters": Advice(
        "mild",
        Sentence(
            "Invisible control characters: they cost tokens and the model would learn to write "
            "them.",
            "含有看不见的控制字符：浪费 token，模型也会学着写出来。",
        ),
        Sentence("Remove them", "删除这些字符"),
    ),
    "html": Advice(
        "mild",
        Sentence(
            "Remains of HTML: the model would answer with tags and entities.",
            "残留的 HTML：模型回答时会带上标签和转义符。",
        ),
        Sentence("Turn them into plain text", "转为纯文本"),
    ),
    "repeated_answer": Advice(
        "mild",
        Sentence(
            "One answer stands in many rows, and the model may give it to everything: {answers}. "
            "Leave it if these are the labels of a classification.",
            "同一个回答出现在很多行里，模型可能什么问题都这样答：{answers}。"
            "如果是分类任务的标签，请保持原样。",
        ),
        Sentence("Keep {keep} rows with each", "每个回答保留 {keep} 行"),
    ),
    "few_rows": Advice(
        "mild",
        Sentence(
            "Only {rows} rows: enough to learn a name or a tone by heart, too few to learn "
            "a skill. Some hundreds would be better.",
            "只有 {rows} 行：够记住一个名字或语气，不够学会一项本领，最好有几百行。",
        ),
    ),
    "language_mix": Advice(
        "info",
        Sentence(
            "The answers are written in several scripts: {shares}. The model will answer in all "
            "of them.",
            "回答用了多种文字：{shares}。模型也会用这些文字回答。",
        ),
    ),
    "other_script": Advice(
        "info",
        Sentence(
            "Their answer is in another script than their question. That is right for "
            "translations; elsewhere the model learns to change the language.",
            "回答与提问用的不是同一种文字。翻译数据本该如此；否则模型会学着答非所问的语言。",
        ),
    ),
    "short_answers": Advice(
        "info",
        Sentence(
            "Half of the answers or more have fewer than {fewest} words (or Chinese characters). "
            "The model will answer as shortly.",
            "一半以上的回答不到 {fewest} 个词（或汉字），模型的回答也会这么短。",
        ),
    ),
}
