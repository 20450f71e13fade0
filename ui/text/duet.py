"""Words of the box in which two characters talk to each other."""

from engine.errors import Sentence

WORDS = {
    "duet_box": Sentence("Let two talk to each other", "让两个角色互相聊"),
    "duet_how": Sentence(
        "Each hears the other as its user, so that you hear whether a voice holds.",
        "双方都把对方当作用户，可以听出各自的语气能不能保持住。",
    ),
    "duet_first": Sentence("The one who begins", "先开口的"),
    "duet_second": Sentence("The other", "另一方"),
    "duet_voice": Sentence(
        "voice; an adapter's folder or its Hub id can be typed",
        "声音；也可以输入适配器的文件夹或 Hub 名字",
    ),
    "duet_card": Sentence("character", "角色"),
    "duet_base": Sentence("the base", "原模型"),
    "duet_opening": Sentence("First line", "第一句话"),
    "duet_opening_hint": Sentence("Empty: its greeting", "留空则用它的开场白"),
    "duet_turns": Sentence("Answers", "回答次数"),
    "duet_start": Sentence("Let them talk", "开始对话"),
    "duet_stop": Sentence("Stop", "停止"),
    "duet_chat": Sentence("Between the two", "两人之间"),
    "duet_choose": Sentence("Choose two characters.", "请选择两个角色。"),
    "duet_done": Sentence("Lines: {lines}.", "共 {lines} 句。"),
    "duet_stopped": Sentence("Stopped. Lines: {lines}.", "已停止，共 {lines} 句。"),
    "duet_silent": Sentence(
        "{name} had nothing to say, so it ended there. Lines: {lines}.",
        "{name} 无话可说，对话在第 {lines} 句结束。",
    ),
}
