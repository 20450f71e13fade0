"""Words of the Chat tab."""

from engine.errors import Sentence

WORDS = {
    "chat_voices": Sentence("Voices", "声音"),
    "chat_voices_help": Sentence(
        "Up to four of one base. An adapter's folder or its Hub id can be typed, then Enter.",
        "最多四个，须是同一底座。也可以输入适配器的文件夹或 Hub 名字，按回车。",
    ),
    "chat_base_voice": Sentence("base", "原模型"),
    "chat_at_step": Sentence("{name} · step {step}", "{name} · 第 {step} 步"),
    "chat_base": Sentence("base · {model}", "原模型 · {model}"),
    "chat_comma": Sentence(", ", "、"),
    "chat_invite": Sentence(
        "Ask all the same thing and hear the difference.", "问同一句话，听听各自怎么答。"
    ),
    "chat_invite_alone": Sentence(
        "Ask it something. To hear a tuned voice beside it, choose one above, or train one on the "
        "Train tab.",
        "问它一句试试。想听微调后的声音同台作答，请在上面选一个，或者先去「训练」页训练一个。",
    ),
    "chat_settings": Sentence("Settings", "设置"),
    "chat_settings_hide": Sentence("Hide settings", "收起设置"),
    "chat_summary": Sentence(
        "{who} · temperature {temperature} · seed {seed}",
        "{who} · 温度 {temperature} · 种子 {seed}",
    ),
    "chat_who_custom": Sentence("own system prompt", "自定义系统提示词"),
    "chat_who_nobody": Sentence("no system prompt", "没有系统提示词"),
    "chat_character": Sentence("Character", "角色"),
    "chat_character_none": Sentence("None, my own words", "不用角色，自己写"),
    "chat_system": Sentence("System prompt", "系统提示词"),
    "chat_system_help": Sentence(
        "Stands before the conversation, for every voice that has none of its own.",
        "放在对话最前面，没有单独设置的声音都会读到。",
    ),
    "chat_temperature": Sentence("Temperature", "温度"),
    "chat_temperature_help": Sentence(
        "0 always takes the likeliest token", "0 表示每次都取最可能的 token"
    ),
    "chat_top_p": Sentence("top_p", "top_p"),
    "chat_top_p_help": Sentence(
        "choose among the likeliest tokens that add up to this", "只在概率累计到此值的 token 中选"
    ),
    "chat_top_k": Sentence("top_k", "top_k"),
    "chat_top_k_help": Sentence(
        "choose among this many; 0 for all", "只在最可能的几个中选；0 表示不限"
    ),
    "chat_repetition_penalty": Sentence("Repetition penalty", "重复惩罚"),
    "chat_repetition_penalty_help": Sentence(
        "above 1 makes repeating less likely", "大于 1 时不容易重复"
    ),
    "chat_max_new_tokens": Sentence("Longest answer, tokens", "回答最长（token）"),
    "chat_max_new_tokens_help": Sentence("the answer is cut there", "超过就截断"),
    "chat_seed": Sentence("Seed", "随机种子"),
    "chat_seed_help": Sentence(
        "the same seed gives the same answer; Retry takes the next one",
        "种子相同，回答相同；「重试」会换下一个种子",
    ),
    "chat_marks": Sentence("Mark what the base did not say", "标出与原模型不同的词"),
    "chat_defaults": Sentence("Back to the defaults", "恢复默认"),
    "chat_question": Sentence("Your words", "你想说的话"),
    "chat_question_hint": Sentence(
        "Ask all of them. Enter sends.", "对所有声音说一句话，按回车发送。"
    ),
    "chat_send": Sentence("Send", "发送"),
    "chat_stop": Sentence("Stop", "停止"),
    "chat_retry": Sentence("Retry", "重试"),
    "chat_undo": Sentence("Undo", "撤回"),
    "chat_clear": Sentence("Clear", "清空"),
    "chat_try_base": Sentence(
        "Who are you?\nTell me a tiny story.\nWhat should I do when I am sad?",
        "你是谁？\n讲个小故事吧。\n我有点难过，怎么办？",
    ),
    "chat_try": Sentence("Try", "试试这些"),
    "chat_doing": Sentence("{what} ...", "{what}……"),
    "chat_fetching": Sentence("Fetching {what} from the Hub ...", "正在从 Hub 下载 {what}……"),
    "chat_unload": Sentence("Unload", "卸载"),
    "chat_own": Sentence("Settings of one voice", "单个声音的设置"),
    "chat_own_some": Sentence("Settings of one voice · {count}", "单个声音的设置 · {count}"),
    "chat_own_whose": Sentence("Whose", "哪个声音"),
    "chat_own_has_system": Sentence(
        "A system prompt of its own (may be empty)", "单独的系统提示词（可以留空）"
    ),
    "chat_own_as_all": Sentence("as all", "同全体"),
    "chat_loaded": Sentence(
        "{what} loaded · {gib} GiB in {precision} · {device}",
        "已加载 {what} · {gib} GiB，{precision} · {device}",
    ),
    "chat_not_loaded": Sentence(
        "Nothing is loaded yet; the first question does it.",
        "模型还没有加载，提第一个问题时会自动加载。",
    ),
    "chat_reading": Sentence("reading the question", "正在读问题"),
    "chat_writing": Sentence("writing · {tokens} tokens", "正在写 · {tokens} 个 token"),
    "chat_speed": Sentence("{speed} tokens/s", "每秒 {speed} 个 token"),
    "chat_tokens": Sentence("{tokens} tokens", "{tokens} 个 token"),
    "chat_same": Sentence("same words as base", "与原模型一字不差"),
    "chat_differs": Sentence("differs from base", "与原模型不同"),
    "chat_cut": Sentence("cut at {tokens} tokens", "到 {tokens} 个 token 被截断"),
    "chat_stopped": Sentence("stopped by you", "已被你停下"),
    "chat_silent": Sentence("it said nothing", "它什么也没说"),
    "chat_proof": Sentence("proof", "凭据"),
    "chat_proof_checksum": Sentence("Checksum of its first scores", "首个 token 分数的校验和"),
    "chat_proof_prompt_tokens": Sentence("Prompt", "提示长度"),
    "chat_proof_sampling": Sentence("Sampling", "采样"),
    "chat_proof_text": Sentence("Exactly what the model read", "模型读到的原文"),
    "chat_proof_same_prompt": Sentence(
        "The base read the same prompt.", "原模型读到的提示完全相同。"
    ),
    "chat_proof_other_prompt": Sentence(
        "The base read another prompt: their earlier answers, system prompts or templates differ.",
        "原模型读到的提示不同：前面的回答、系统提示词或模板不一样。",
    ),
    "chat_gone": Sentence(
        "Not there any more: {names}. What the other voices said stays.",
        "已经不在了：{names}。其他声音说过的话都还在。",
    ),
    "chat_empty_question": Sentence("Write a question first.", "请先写一个问题。"),
}
