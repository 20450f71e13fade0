"""Words of Show me, the one-button way through the page."""

from engine.errors import Sentence

WORDS = {
    "show_me_title": Sentence("Hear a model change, here and now", "此刻就听一个模型变成另一个人"),
    "show_me_what": Sentence(
        "Trains a small model on a character, on this machine. About a minute.",
        "在这台机器上，让一个小模型学会一个人物的口吻，大约一分钟。",
    ),
    "show_me_button": Sentence("Show me", "演示一遍"),
    "show_me_own": Sentence("I have my own data", "我有自己的数据"),
    "show_me_step_mask": Sentence("1 · Look at the data", "1 · 看数据"),
    "show_me_step_train": Sentence("2 · Train", "2 · 训练"),
    "show_me_step_talk": Sentence("3 · Hear both", "3 · 听两个声音"),
    "show_me_now_read": Sentence(
        "Reading the sample. The first time takes a few seconds.",
        "正在读取示例，第一次需要几秒钟。",
    ),
    "show_me_now_mask": Sentence(
        "{name} · row {row}. The model learns the green tokens; the rest it only reads.",
        "{name} · 第 {row} 条。绿色的 token 是模型要学的，其余它只是读一读。",
    ),
    "show_me_now_train": Sentence(
        "{name} is learning. The lower the curve, the better it foresees the next word. "
        "You may close this page; it goes on.",
        "{name} 正在学习。曲线越低，它猜下一个词就越准。关掉页面也没关系，它会继续。",
    ),
    "show_me_now_talk": Sentence(
        "Both answer the same question. Marked words differ. Now ask them something yourself.",
        "两个声音回答同一个问题，标出的是不同之处。现在换你来问。",
    ),
    "show_me_failed": Sentence(
        "The run did not finish; its card in Train says why.",
        "训练没有完成，原因写在「训练」页的卡片上。",
    ),
    "show_me_close": Sentence("Close the guide", "收起引导"),
}
