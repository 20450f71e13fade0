"""Words of the blind vote."""

from engine.errors import Sentence

WORDS = {
    "blind": Sentence("Blind vote", "盲投"),
    "blind_letter": Sentence("Voice {letter}", "声音 {letter}"),
    "blind_writing": Sentence("writing", "正在写"),
    "blind_ask": Sentence("Which answer is better?", "哪个回答更好？"),
    "blind_tie": Sentence("Tie", "不分上下"),
    "blind_better": Sentence("voted better", "你选的更好"),
    "blind_votes": Sentence("Votes so far", "已有的投票"),
    "blind_download": Sentence("Download as preference rows", "下载为偏好数据"),
    "blind_voice": Sentence("Voice", "声音"),
    "blind_base": Sentence("Against", "对比"),
    "blind_won": Sentence("Won", "胜"),
    "blind_tied": Sentence("Tied", "平"),
    "blind_lost": Sentence("Lost", "负"),
    "blind_rate": Sentence("Win rate, 95 % interval", "胜率（95 % 区间）"),
    "blind_rate_of": Sentence(
        "{rate} % ({low} to {high} %) of {votes}", "{rate} %（{low}–{high} %），共 {votes} 票"
    ),
    "blind_how": Sentence(
        "A tie counts as half a vote. Of three or more voices, a vote for one says that it beat "
        "each of the others, and nothing about those among themselves. The download has a row "
        "(prompt, chosen, rejected) for each pair that was decided; ties are kept apart.",
        "平局算半票。三个以上的声音时，选中一个表示它胜过其余每一个，其余之间不作比较。"
        "下载的文件里，每对分出胜负的回答占一行（prompt、chosen、rejected），平局另存。",
    ),
    "blind_no_base": Sentence(
        "No vote has compared a voice with its base yet.", "还没有把哪个声音与原模型比较过。"
    ),
}
