"""Words of the character box in Chat's side panel."""

from engine.errors import Sentence

WORDS = {
    "card_greeting": Sentence("It opens with", "开场白"),
    "card_no_greeting": Sentence("No greeting, you begin", "不要开场白，由你先说"),
    "card_import": Sentence("Import a card (PNG, JSON, YAML)", "导入角色卡（PNG、JSON、YAML）"),
    "card_take": Sentence("Export this card", "导出这张角色卡"),
    "card_form": Sentence("Export as", "导出为"),
    "card_form_png": Sentence("PNG with the card in it", "内含角色卡的 PNG"),
    "card_form_v2": Sentence("JSON, Tavern V2", "JSON（Tavern V2）"),
    "card_form_v3": Sentence("JSON, Tavern V3", "JSON（Tavern V3）"),
    "card_form_yaml": Sentence("YAML", "YAML"),
    "card_export": Sentence("Export", "导出"),
    "card_download": Sentence("Download {name}", "下载 {name}"),
    "card_edit": Sentence("Write or change a card", "编写或修改角色卡"),
    "card_edit_help": Sentence(
        "{{char}} stands for its name, {{user}} for yours. A sample stays as it is: saving it "
        "makes a card of your own.",
        "{{char}} 代表角色的名字，{{user}} 代表你的名字。"
        "示例不会被改动：保存时会另存为你自己的卡。",
    ),
    "card_name": Sentence("Name", "名字"),
    "card_user": Sentence("What it calls you", "它怎么称呼你"),
    "card_instructions": Sentence("First of all", "开头的指令"),
    "card_instructions_help": Sentence(
        "{{original}} stands for “You are NAME.”", "{{original}} 代表“你是某某。”"
    ),
    "card_persona": Sentence("Who it is", "人物设定"),
    "card_personality": Sentence("Personality", "性格"),
    "card_scenario": Sentence("Where and when", "场景"),
    "card_examples": Sentence("How it speaks", "说话示例"),
    "card_examples_help": Sentence(
        "Example talks, with <START> on a line before each.", "示例对话，每段之前单独一行 <START>。"
    ),
    "card_opening": Sentence("Greeting", "开场白"),
    "card_others": Sentence("Other greetings", "备选开场白"),
    "card_others_help": Sentence(
        "With +++ on a line between them.", "几段之间用单独一行 +++ 隔开。"
    ),
    "card_questions": Sentence("Questions to try", "推荐问题"),
    "card_questions_help": Sentence("One on each line.", "每行一个。"),
    "card_avatar": Sentence("Picture", "头像"),
    "card_sampling": Sentence(
        "Keep temperature and the like with the card", "把温度等设置存进角色卡"
    ),
    "card_save": Sentence("Save as my card", "存为我的角色卡"),
    "card_delete": Sentence("Delete this card", "删除这张卡"),
    "card_delete_now": Sentence("Really delete it", "确认删除"),
    "card_train": Sentence("Train with this card", "用这张卡训练"),
    "card_saved": Sentence("{name} is saved.", "{name} 已保存。"),
    "card_deleted": Sentence("{name} is deleted.", "{name} 已删除。"),
    "card_brought": Sentence("{name} is here.", "{name} 已导入。"),
    "card_none": Sentence("Choose a character first.", "请先选择一个角色。"),
}
