"""English words in the form that a sentence asks for: verbs, plurals, degrees, articles."""

import re

IRREGULAR = {
    "be": ("is", "was", "been", "being"),
    "have": ("has", "had", "had", "having"),
    "do": ("does", "did", "done", "doing"),
    "go": ("goes", "went", "gone", "going"),
    **{
        base: ("", past, done, "")
        for base, past, done in (
            row.split(" ")
            for row in (
                "begin began begun, bend bent bent, bite bit bitten, blow blew blown, "
                "break broke broken, bring brought brought, build built built, buy bought bought, "
                "catch caught caught, choose chose chosen, come came come, creep crept crept, "
                "cut cut cut, dig dug dug, draw drew drawn, dream dreamed dreamed, "
                "drink drank drunk, eat ate eaten, fall fell fallen, feed fed fed, "
                "feel felt felt, find found found, fly flew flown, forget forgot forgotten, "
                "forgive forgave forgiven, get got got, give gave given, grow grew grown, "
                "hang hung hung, hear heard heard, hide hid hidden, hit hit hit, hold held held, "
                "hurt hurt hurt, keep kept kept, know knew known, lay laid laid, "
                "leave left left, let let let, lie lay lain, light lit lit, lose lost lost, "
                "make made made, meet met met, pay paid paid, put put put, read read read, "
                "ride rode ridden, ring rang rung, rise rose risen, run ran run, say said said, "
                "see saw seen, sell sold sold, send sent sent, sew sewed sewn, "
                "shake shook shaken, shine shone shone, shut shut shut, sing sang sung, "
                "sit sat sat, sleep slept slept, smell smelled smelled, sow sowed sown, "
                "speak spoke spoken, spend spent spent, spin spun spun, "
                "spread spread spread, stand stood stood, steal stole stolen, "
                "sweep swept swept, take took taken, teach taught taught, tear tore torn, "
                "tell told told, think thought thought, wake woke woken, wear wore worn, "
                "weep wept wept, win won won, wind wound wound, write wrote written"
            ).split(", ")
        )
    },
}
DOUBLED = {
    *("bat", "chat", "chop", "clap", "cut", "dig", "dip", "drop", "fit", "forget", "get", "grab"),
    *("hit", "hug", "hum", "jog", "knit", "let", "mop", "nod", "pat", "plan", "put", "rub", "run"),
    *("set", "shut", "sip", "sit", "skip", "slip", "spin", "step", "stir", "stop", "swim", "tap"),
    *("trim", "win", "wrap", "begin", "pin", "zip"),
}
PLURALS = {
    **{name: name for name in ("fish", "sheep", "salt", "bread", "paper", "breakfast")},
    **{"child": "children", "wife": "wives", "knife": "knives", "loaf": "loaves"},
    **{"leaf": "leaves", "wolf": "wolves", "shelf": "shelves", "mouse": "mice"},
    **{"goose": "geese", "potato": "potatoes", "foot": "feet"},
}
LONG = {"careful", "skilful", "useful", "patient", "honest", "famous", "crowded", "comfortable"}
LONG |= {"stubborn", "cheerful", "grateful", "hopeful", "worried", "afraid", "peaceful", "foreign"}
LONG |= {"tired", "burnt", "brass", "wooden", "loving", "winding", "exact", "learned", "restless"}
LONG |= {"faithful", "playful", "distant", "broken", "secret", "cracked", "silver", "lovely"}


def with_article(noun: str) -> str:
    vowel = re.match(r"(?!uni|use|one|eu)[aeiou]|hour|honest|heir", noun)
    return f"an {noun}" if vowel else f"a {noun}"


def plural(noun: str) -> str:
    head, _, last = noun.rpartition(" ")
    if last in PLURALS:
        last = PLURALS[last]
    elif re.search(r"(s|x|z|ch|sh)$", last):
        last += "es"
    elif re.search(r"[^aeiou]y$", last):
        last = last[:-1] + "ies"
    else:
        last += "" if last.endswith("men") else "s"
        last = re.sub(r"mans$", "men", last)
    return f"{head} {last}".strip()


def comparative(quality: str) -> str:
    if quality in {"good", "bad", "far", "little"}:
        return {"good": "better", "bad": "worse", "far": "farther", "little": "smaller"}[quality]
    if quality in LONG or len(re.findall(r"[aeiouy]+", quality.rstrip("e"))) > 2:
        return f"more {quality}"
    if quality.endswith("y"):
        return quality[:-1] + "ier"
    if re.search(r"[^aeiou][aeiou][bdgnt]$", quality):
        return quality + quality[-1] + "er"
    return quality + ("r" if quality.endswith("e") else "er")


def verb(base: str, form: str) -> str:
    """One form of a verb: s (he does), d (did), n (has done), g (doing)."""
    irregular = IRREGULAR.get(base, ("", "", "", ""))["sdng".index(form)]
    if irregular:
        return irregular
    soft = re.search(r"[^aeiou]y$", base)
    if form == "s":
        if soft:
            return base[:-1] + "ies"
        return base + ("es" if re.search(r"(s|x|z|ch|sh|o)$", base) else "s")
    stem = base + base[-1] if base in DOUBLED else base
    if form == "g":
        if base.endswith("ie"):
            return base[:-2] + "ying"
        return (base[:-1] if re.search(r"[^eoy]e$", base) else stem) + "ing"
    if soft:
        return base[:-1] + "ied"
    return stem + ("d" if base.endswith("e") else "ed")


def deed_in(deed: str, form: str) -> str:
    """A deed with its verbs in a form; without one as it stands."""
    if not form:
        return deed.replace("^", "")
    deed = re.sub(r"\^(\w+)", lambda match: verb(match.group(1), form), deed)
    never, first, rest = re.fullmatch(r"(never )?(\w+)(.*)", deed).groups()
    return (never or "") + verb(first, form) + rest


def fact_in(fact: str, form: str) -> str:
    """A fact as a clause: now, in the past (d) or to come (w)."""
    subject, _, deed = fact.partition(": ")
    many = subject.startswith("*")
    subject = subject.lstrip("*")
    if form == "w":
        return f"{subject} will {deed_in(deed, '')}"
    return f"{subject} {deed_in(deed, form or ('' if many else 's'))}"


def capitals(text: str) -> str:
    """Capitals where sentences begin; "A old" made right."""
    text = re.sub(
        r"\b([Aa]) (?=([aeiou]\w+))",
        lambda match: match.group(1) + ("" if match.group(2).startswith("uni") else "n") + " ",
        text,
    )
    begins = r'(^"?|[.!?] "?|[.!?]" "?)([a-z])'
    return re.sub(begins, lambda match: match.group(1) + match.group(2).upper(), text)
