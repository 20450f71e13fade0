"""Cards of the Tavern programs: V1, V2 and V3 JSON become a card, and a card becomes V2 or V3.

What has no use here (lorebook, notes, extensions of others ...) stays in the card's `kept` and goes
out again as it came. Specifications: character-card-spec-v2 and character-card-spec-v3.
"""

from typing import Any

from engine.characters.card import Character, character
from engine.errors import Sentence, UserError

# Our name -> theirs, for texts and lists that both know.
DATA = {
    "name": "name",
    "nickname": "nickname",
    "persona": "description",
    "personality": "personality",
    "scenario": "scenario",
    "greeting": "first_mes",
    "alternate_greetings": "alternate_greetings",
    "examples": "mes_example",
    "instructions": "system_prompt",
    "tags": "tags",
    "creator": "creator",
}
# What Tavern cards know no word for; it travels in an extension of this name.
EXTENSION = "greenroom"
EXTENDED = ("questions", "sampling", "user", "language")
# Names that other programs, and YAML cards written for them, use for the same.
ALIASES = {
    "context": "persona",
    "char_name": "name",
    "char_persona": "persona",
    "char_greeting": "greeting",
    "world_scenario": "scenario",
    "example_dialogue": "examples",
}
_FROM_OTHERS = ALIASES | {theirs: ours for ours, theirs in DATA.items()}
# Keys that every V2 card must have, empty where nothing is known.
_V2 = (
    *("name", "description", "personality", "scenario", "first_mes", "mes_example"),
    *("creator_notes", "system_prompt", "post_history_instructions", "creator"),
    "character_version",
)
_ORIGINAL = "{{original}}"
_UNUSED = {
    "character_book": Sentence("its lorebook", "世界书"),
    "post_history_instructions": Sentence("its words behind the history", "历史之后的指令"),
    "assets": Sentence("its files", "附带文件"),
    "group_only_greetings": Sentence("its greetings for groups", "群聊开场白"),
}


def from_json(value: Any, id: str = "") -> Character:
    """A V1, V2 or V3 card. Raises UserError (field "card", or that of the text at fault)."""
    if not isinstance(value, dict):
        raise UserError(
            "This JSON is no character card: it holds no object with a name.",
            "这份 JSON 不是角色卡：里面没有带名字的对象。",
            field="card",
        )
    data = value.get("data") if isinstance(value.get("data"), dict) else value
    named = in_our_words(data)
    if not named.get("name"):
        raise UserError(
            "This JSON is no character card: there is no name in it.",
            "这份 JSON 不是角色卡：里面没有名字。",
            field="card",
        )
    if not named.get("instructions"):
        # An empty one means the program's own, unless the card was written here.
        named["instructions"] = _own(data).get("instructions", _ORIGINAL)
    return character(id, named)


def in_our_words(data: dict[str, Any]) -> dict[str, Any]:
    """The keys of other programs become ours; keys that nobody knows stay. Of several for the same
    one that is filled counts, and Tavern's own before the others."""
    named = {key: one for key, one in data.items() if key not in (*_FROM_OTHERS, "extensions")}
    for theirs, ours in _FROM_OTHERS.items():
        if theirs in data and (_is_filled(data[theirs]) or ours not in named):
            named[ours] = data[theirs]
    named = {key: one for key, one in _own(data).items() if key in EXTENDED} | named
    extensions = data.get("extensions")
    if isinstance(extensions, dict):
        extensions = {key: one for key, one in extensions.items() if key != EXTENSION}
    return named | ({"extensions": extensions} if extensions else {})


def _own(data: dict[str, Any]) -> dict[str, Any]:
    """What a card that was written here says in its extension."""
    extensions = data.get("extensions")
    own = extensions.get(EXTENSION) if isinstance(extensions, dict) else None
    return own if isinstance(own, dict) else {}


def to_json(card: Character, version: int = 2) -> dict[str, Any]:
    """A V2 or V3 card. `{{original}}` alone goes out as nothing, which means the same there."""
    data: dict[str, Any] = dict.fromkeys(_V2, "") | {"alternate_greetings": [], "tags": []}
    if version == 3:
        data["group_only_greetings"] = []
    data |= {key: one for key, one in card.kept.items() if key != "extensions"}
    known = {theirs: getattr(card, ours) for ours, theirs in DATA.items()}
    if card.instructions.strip() == _ORIGINAL:
        known["system_prompt"] = ""
    data |= {key: one for key, one in known.items() if one or key != "nickname"}
    others = card.kept.get("extensions")
    own = {key: getattr(card, key) for key in EXTENDED if getattr(card, key)}
    if not card.instructions:
        own["instructions"] = ""
    data["extensions"] = (others if isinstance(others, dict) else {}) | {EXTENSION: own}
    return {"spec": f"chara_card_v{version}", "spec_version": f"{version}.0", "data": data}


def unused(card: Character) -> Sentence | None:
    """What a card brought that changes nothing here; it goes out again with the card."""
    names = [words for key, words in _UNUSED.items() if _is_filled(card.kept.get(key))]
    others = [key for key, one in card.kept.items() if key not in _UNUSED and _is_filled(one)]
    names += [Sentence(key, key) for key in others[:8]]
    if not names:
        return None
    return Sentence(
        f"Kept for export, but not used here: {', '.join(one.en for one in names)}.",
        f"下列内容会保留并随卡导出，但这里用不到：{'、'.join(one.zh for one in names)}。",
    )


def _is_filled(value: Any) -> bool:
    return value not in (None, "", [], {}, False)
