"""Chinese that was read in a wrong encoding: UTF-8 as GBK (浣犲ソ), or GBK as Latin-1 (ÄãºÃ).

Each line is undone by itself, and only where that is certain: read the right way it is common
Chinese, which as it stands it is not.
"""

import codecs
import re
from functools import cache

# How the first byte of a UTF-8 character, 0xE4 to 0xE9, begins a run of them when read as GBK.
_UTF8_BEGINS = re.compile(
    "["
    + "".join(
        bytes([lead, trail]).decode("gb18030")
        for lead in range(0xE4, 0xEA)
        for trail in range(0x80, 0xC0)
    )
    + "]"
)
_GBK_BEGINS = re.compile("[\xb0-\xd7][\xa1-\xfe]")  # one of the 3,755 common characters
_GBK_RUN = re.compile("(?:[\xa1-\xa3\xb0-\xf7][\xa1-\xfe]){2,}")
_CHINESE = re.compile("[\u3400-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
_LOST = "\ufffd"
_LOST_SHARE = 0.25  # of the characters at most; with more it may be something else
_COMMON_SHARE = 0.5
# Three of four characters of any Chinese text are among these.
_COMMONEST = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事"
    "成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此"
    "已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代"
    "内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安"
    "少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光"
    "放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笑飞风"
    "步改收根干造言联持组每济车亲极林服快办议往元英士证近失转夫令准布始怎呢存未远叫台单影具罗字爱击流备兵连调深商算质团集"
    "百需价花党华城石级整府离况亚请技际约示复病息究线似官火断精满支视消越器容照须九增研写称企八功吗包片史委乎查轻易早曾除"
    "农找装广显吧谢您喜欢帮助"
)


def restored(line: str) -> str:
    """The line as it was before, with U+FFFD for what is lost of it; "" for any other line."""
    if line.isascii():
        return ""
    return _utf8_as_gbk(line) or _gbk_as_latin(line)


def may_be_gbk(line: str) -> bool:
    """Whether Latin letters of the line may be Chinese in GBK, of which whoever takes them for
    UTF-8 would make worse."""
    return any(not _may_be_utf8(run[0].encode("latin-1")) for run in _GBK_RUN.finditer(line))


def _may_be_utf8(raw: bytes) -> bool:
    """Whether it may be cut out of UTF-8, at any place."""
    for first in range(3):
        try:
            codecs.getincrementaldecoder("utf-8")().decode(raw[first:])
        except UnicodeDecodeError:
            if not 0x80 <= raw[first] < 0xC0:
                return False
        else:
            return True
    return False


def _utf8_as_gbk(line: str) -> str:
    if not _UTF8_BEGINS.search(line):
        return ""
    try:
        # The byte 0x80 alone is the euro sign of Windows.
        raw = b"\x80".join(part.encode("gb18030") for part in line.split("€"))
    except UnicodeEncodeError:  # half a character
        return ""
    text = raw.decode("utf-8", "replace")
    return text if _share(_common(), text) > _share(_common(), line) and _is_sound(text) else ""


def _gbk_as_latin(line: str) -> str:
    raw = _latin_bytes(line) if _GBK_BEGINS.search(line) else b""
    if not raw or _is_utf8(raw):
        return ""
    text = raw.decode("gbk", "replace")
    # Almost any bytes make Chinese characters, but not the commonest.
    is_common = _share(_COMMONEST, text) >= 0.5 and len(_COMMONEST.intersection(text)) > 1
    return text if is_common and _is_sound(text) and not _KANA.search(text) else ""


def _latin_bytes(line: str) -> bytes:
    """b"" when there are other characters."""
    import ftfy.bad_codecs  # noqa: F401 - makes known the encoding below

    for encoding in ("latin-1", "sloppy-windows-1252"):
        try:
            return line.encode(encoding)
        except UnicodeEncodeError:
            continue
    return b""


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_sound(text: str) -> bool:
    """Whether it is common Chinese of two characters at least, of which little is lost."""
    chinese = _CHINESE.findall(text)
    few_lost = text.count(_LOST) <= _LOST_SHARE * len(chinese)
    return len(set(chinese)) > 1 and few_lost and _share(_common(), text) >= _COMMON_SHARE


def _share(known: frozenset[str], text: str) -> float:
    chinese = _CHINESE.findall(text)
    return sum(one in known for one in chinese) / max(1, len(chinese))


@cache
def _common() -> frozenset[str]:
    """The first level of GB 2312: what is written in everyday Chinese."""
    pairs = (bytes([lead, trail]) for lead in range(0xB0, 0xD8) for trail in range(0xA1, 0xFF))
    return frozenset("".join(pair.decode("gb2312", "ignore") for pair in pairs))
