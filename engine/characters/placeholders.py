"""The one place where the names of a card's two speakers are filled in."""

import re

_NAMES = re.compile(r"\{\{\s*(char|user)\s*\}\}|<(bot|user)>", re.IGNORECASE)


def fill(text: str, char: str, user: str) -> str:
    """`{{char}}` and `<BOT>` become `char`, `{{user}}` and `<USER>` become `user`, in any case.

    In one pass: a name that looks like a placeholder is not filled again. Lines end as here.
    """

    def name(found: re.Match) -> str:
        return user if (found[1] or found[2]).lower() == "user" else char

    return _NAMES.sub(name, text.replace("\r\n", "\n").replace("\r", "\n"))
