"""Cards of other programs come in, whatever they hold, and go out again as they came."""

import base64
import io
import json
import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine import characters
from engine.characters import exchange, shelf, tavern
from engine.characters.avatar import drawn
from engine.characters.plain_text import read_yaml, write_yaml
from engine.characters.png_text import LONGEST_TEXT, texts, with_texts
from engine.errors import UserError

V1 = {
    "name": "Mara",
    "description": "{{char}} keeps a lighthouse.",
    "personality": "dry",
    "scenario": "{{user}} knocks.",
    "first_mes": "Aye, {{user}}.",
    "mes_example": "<START>\n{{char}}: Aye.",
}
BOOK = {"entries": [{"keys": ["lamp"], "content": "It is old.", "enabled": True}]}
V2 = {
    "spec": "chara_card_v2",
    "spec_version": "2.0",
    "data": V1
    | {
        "creator_notes": "be kind",
        "system_prompt": "{{original}} Stay short.",
        "post_history_instructions": "short!",
        "alternate_greetings": ["Hm?", "Who goes there?"],
        "character_book": BOOK,
        "tags": ["sea"],
        "creator": "me",
        "character_version": "1.2",
        "extensions": {"other": {"deep": [1, None]}},
    },
}
V3 = V2 | {
    "spec": "chara_card_v3",
    "spec_version": "3.0",
    "data": V2["data"]
    | {
        "nickname": "Mar",
        "group_only_greetings": ["All hands."],
        "assets": [{"type": "icon", "uri": "ccdefault:", "name": "main", "ext": "png"}],
        "source": ["somewhere"],
        "creation_date": 1700000000,
    },
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def as_bytes(value):
    return json.dumps(value).encode("utf-8")


def packed(value):
    return base64.b64encode(as_bytes(value)).decode()


def chunk(kind, body, check=None):
    check = zlib.crc32(kind + body) if check is None else check
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def with_chunk(made):
    """A picture with one chunk before its end."""
    picture = drawn("x")
    return picture[:-12] + made + picture[-12:]


def extensions(data):
    return {key: one for key, one in data["extensions"].items() if key != "greenroom"}


@pytest.mark.parametrize(("card", "version"), [(V2, 2), (V3, 3)])
def test_a_card_of_its_own_version_goes_out_as_it_came(card, version):
    made = tavern.from_json(card)
    out = tavern.to_json(made, version)
    assert out["data"].pop("extensions") == {
        "other": {"deep": [1, None]},
        "greenroom": {"language": "en"},
    }
    assert out == card | {"data": {k: v for k, v in card["data"].items() if k != "extensions"}}


def test_an_old_card_and_one_of_another_program_say_the_same():
    other = {
        "char_name": "Mara",
        "char_persona": V1["description"],
        "world_scenario": V1["scenario"],
        "char_greeting": V1["first_mes"],
        "example_dialogue": V1["mes_example"],
        "personality": "dry",
    }
    made = tavern.from_json(V1)
    assert tavern.from_json(other) == made
    assert made.system_prompt.startswith("You are Mara.\n\nMara keeps a lighthouse.")
    assert made.greetings == ["Aye, User."]
    assert tavern.to_json(made)["data"]["system_prompt"] == ""


def test_what_is_not_used_is_said():
    assert tavern.unused(tavern.from_json(V1)) is None
    assert tavern.unused(tavern.from_json(V3)).en == (
        "Kept for export, but not used here: its lorebook, its words behind the history, its files,"
        " its greetings for groups, creator_notes, character_version, source, creation_date, "
        "extensions."
    )


@pytest.mark.parametrize("form", exchange.FORMS)
def test_every_form_brings_the_same_card_back(tmp_path, form):
    card = shelf.save(
        replace(tavern.from_json(V3), questions=["Why?"], sampling={"temperature": 0.5}, user="Tom")
    )
    name, content = exchange.write(card, form)
    assert name == "mara" + {"yaml": ".yaml", "png": ".png"}.get(form, f".{form}.json")
    assert tavern.to_json(exchange.read(content), 3) == tavern.to_json(card, 3)
    (tmp_path / name).write_bytes(content)
    again = exchange.bring(tmp_path / name).card
    assert again.id == "mara-2"
    assert bool(shelf.avatar_of(again.id)) == (form == "png")


@pytest.mark.parametrize("form", exchange.FORMS)
def test_a_sample_says_the_same_after_a_journey(form):
    sample = characters.get("palace-secretary")
    again = exchange.read(exchange.write(sample, form)[1])
    assert again.system_prompt == sample.system_prompt
    assert (again.greetings, again.suggestions) == (sample.greetings, sample.suggestions)


def test_the_picture_travels_with_the_card_and_nothing_else_of_the_file(tmp_path):
    path = tmp_path / "mara.png"
    path.write_bytes(with_texts(drawn("Mara"), {"chara": packed(V2), "Comment": "secret"}))
    card = exchange.bring(path).card
    assert texts(shelf.avatar_of(card.id).read_bytes()) == {}
    assert texts(exchange.write(card, "png")[1]).keys() == {"chara", "ccv3"}


@pytest.mark.parametrize("said", ["", "\x85"])
def test_a_picture_travels_in_yaml_too(tmp_path, said):
    """Behind all else, whichever way PyYAML writes the card; pixel for pixel, and beside a name of
    a picture that another program gave it."""
    drawing = Image.new("RGBA", (3, 2), (200, 20, 20, 128))
    drawing.putpixel((0, 0), (1, 2, 3, 4))
    out = io.BytesIO()
    drawing.save(out, "PNG")
    card = tavern.from_json({"name": "Mara", "first_mes": said, "avatar": "a.png", "mood": 1})
    card = shelf.save(card, out.getvalue())
    name, content = exchange.write(card, "yaml")
    before, _, after = content.decode().partition("\navatar: |\n  ")
    assert read_yaml(before)["name"] == "Mara"
    assert base64.b64decode(after) == shelf.avatar_of("mara").read_bytes()
    (tmp_path / name).write_bytes(content)
    again, unused = exchange.bring(tmp_path / name)
    assert again == replace(card, id="mara-2", kept={"mood": 1})
    assert unused.en == "Kept for export, but not used here: mood."
    with Image.open(shelf.avatar_of("mara-2")) as picture:
        assert (picture.mode, picture.tobytes()) == ("RGBA", drawing.tobytes())


def test_a_picture_in_a_yaml_of_others_is_made_small_and_bare(tmp_path):
    out = io.BytesIO()
    Image.new("RGB", (1536, 10)).save(out, "JPEG", comment=b"secret")
    path = tmp_path / "mara.yaml"
    path.write_text(f"avatar: {base64.b64encode(out.getvalue()).decode()}\nname: Mara")
    card = exchange.bring(path).card
    with Image.open(shelf.avatar_of(card.id)) as picture:
        assert (picture.format, picture.size, picture.info) == ("PNG", (768, 5), {})
    assert card.kept == {}


@pytest.mark.parametrize("avatar", ["a.png", "none", "none 灯", ["a"], 7, "aGVsbG8=", "a" * 10_001])
def test_an_avatar_that_is_no_picture_is_kept_and_said(tmp_path, avatar):
    path = tmp_path / "mara.yaml"
    path.write_text(write_yaml({"name": "Mara", "avatar": avatar}), encoding="utf-8")
    card, unused = exchange.bring(path)
    assert (card.kept, shelf.avatar_of(card.id)) == ({"avatar": avatar}, None)
    assert unused.en == "Kept for export, but not used here: avatar."
    assert exchange.read(exchange.write(card, "yaml")[1]).kept == {"avatar": avatar}


def test_a_broken_picture_in_yaml_is_a_sentence(tmp_path):
    """As in a PNG that carries a card; and no card is kept."""
    path = tmp_path / "mara.yaml"
    broken = base64.b64encode(drawn("x")[:200]).decode()
    path.write_text(write_yaml({"name": "Mara", "avatar": broken}))
    with pytest.raises(UserError, match="no PNG or JPEG that can be read") as raised:
        exchange.bring(path)
    assert raised.value.field == "avatar"
    assert len(characters.list_characters()) == 2


@pytest.mark.parametrize(
    "content",
    [
        b'{"name": "x", "extensions": {"a": [NaN, Infinity, -Infinity, 1e999, 1.5]}}',
        b"name: x\nextensions: {a: [.nan, .inf, -.inf, 1.0e+999, 1.5]}",
    ],
)
def test_what_is_no_finite_number_becomes_nothing(content):
    """JSON has no word for it: other programs would refuse the whole card."""
    card = exchange.read(content)
    assert card.kept == {"extensions": {"a": [None, None, None, None, 1.5]}}
    out = json.loads(exchange.write(card, "v2")[1], parse_constant=pytest.fail)
    assert out["data"]["extensions"]["a"] == [None, None, None, None, 1.5]


@pytest.mark.parametrize(
    "made",
    [
        chunk(b"tEXt", b"chara\0" + packed(V1).encode()),
        chunk(b"tEXt", b"CCV3\0" + packed(V1).encode()),
        chunk(b"tEXt", b"chara\0" + as_bytes(V1)),
        chunk(b"zTXt", b"chara\0\0" + zlib.compress(packed(V1).encode())),
        chunk(b"iTXt", b"chara\0\0\0en\0\0" + packed(V1).encode()),
        chunk(b"iTXt", b"chara\0\1\0\0\0" + zlib.compress(packed(V1).encode())),
        chunk(b"tEXt", b"chara\0" + packed(V1).encode()) + chunk(b"tEXt", b"ccv3\0broken!"),
    ],
)
def test_a_card_is_found_in_every_kind_of_chunk(made):
    assert exchange.read(with_chunk(made)) == tavern.from_json(V1)


def test_the_newer_card_counts():
    both = with_texts(drawn("x"), {"chara": packed(V1), "ccv3": packed(V3)})
    assert exchange.read(both).nickname == "Mar"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (drawn("x"), "carries no card"),
        (with_chunk(chunk(b"tEXt", b"chara\0" + packed(V1).encode(), check=1)), "was damaged"),
        (with_chunk(chunk(b"tEXt", b"chara\0" + packed(V1).encode()))[:-8], "cut off"),
        (with_chunk(struct.pack(">I", 2**31) + b"tEXtchara\0"), "cut off"),
        (with_chunk(chunk(b"zTXt", b"chara\0\0no zlib")), "cannot be unpacked"),
        (
            with_chunk(chunk(b"zTXt", b"chara\0\0" + zlib.compress(bytes(LONGEST_TEXT + 9)))),
            "too long",
        ),
        (with_chunk(chunk(b"tEXt", b"chara\0####")), "is damaged"),
        (with_chunk(chunk(b"tEXt", b"chara\0" + base64.b64encode(b"\xff\xfe"))), "is damaged"),
        (with_chunk(chunk(b"tEXt", b"chara\0" + base64.b64encode(b"{"))), "no valid JSON"),
        (b"\xff\xd8\xff\xe0", "A JPEG carries no card"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"", "no keys such as name"),
        (b"just words", "no keys such as name"),
        (b"name: &a x\npersona: *a", "uses the alias"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b"a: " + b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
        (b'{"a":' * 50_000, "nested too deep"),
        (b'{"name": "x", "n": ' + b"[" * 70 + b"]" * 70 + b"}", "deeper than 60"),
        (b"[]", "holds no object"),
        (b'{"data": {"name": ""}}', "no name in it"),
        (b'{"name": "' + b"x" * 5 * 2**20 + b'"}', "characters; at most"),
        (b'{"name": 1' + b"0" * 5000 + b"}", "no valid JSON"),
    ],
)
def test_what_is_no_card_is_a_sentence(content, sentence):
    with pytest.raises(UserError, match=sentence):
        exchange.read(content)


def test_a_form_that_does_not_exist_is_a_sentence():
    with pytest.raises(UserError, match="no form of a card") as raised:
        exchange.write(characters.get("lighthouse-keeper"), "charx")
    assert raised.value.field == "form"


@QUICK
@given(
    st.dictionaries(
        st.sampled_from([*V3["data"], "persona", "kept", "language", "sampling", "title"]), ANY_JSON
    )
)
@example({"name": "\ud800", "tags": {"a": 1}, "kept": 5, "extensions": {"greenroom": {"user": []}}})
def test_wild_json_is_a_card_or_a_sentence(data):
    """And what is a card can be kept, told, and goes out in every form and in again."""
    try:
        card = exchange.read(as_bytes({"data": data}))
    except UserError:
        return
    assert isinstance(card.system_prompt, str)
    for form in exchange.FORMS:
        assert exchange.read(exchange.write(card, form)[1]).system_prompt == card.system_prompt


@QUICK
@given(st.binary(max_size=400), st.integers(0, 2000), st.integers(0, 40))
def test_a_wild_png_is_a_card_or_a_sentence(noise, at, gone):
    whole = with_texts(drawn("x"), {"chara": packed(V2)})
    try:
        exchange.read(whole[:at] + noise + whole[at + gone :])
    except UserError:
        return


@QUICK
@given(st.binary(max_size=200) | TEXT.map(str.encode))
def test_wild_bytes_are_a_card_or_a_sentence(content):
    try:
        exchange.read(content)
    except UserError:
        return


@QUICK
@given(st.fixed_dictionaries({"description": TEXT, "first_mes": TEXT, "mes_example": TEXT}), TEXT)
@example({"description": " \n a", "first_mes": "\x85\u2028\x00", "mes_example": "\r\n\t "}, "x\n")
def test_texts_survive_a_journey_exactly(given_texts, question):
    card = replace(tavern.from_json({"name": "x"} | given_texts), questions=[question])
    for form in exchange.FORMS:
        again = exchange.read(exchange.write(card, form)[1])
        out = tavern.to_json(again)["data"]
        assert {key: out[key] for key in given_texts} == given_texts
        assert again.questions == [question]


@QUICK
@given(st.dictionaries(TEXT, ANY_JSON, max_size=3))
def test_yaml_reads_back_as_it_was_written(values):
    clean = json.loads(json.dumps(values).encode("utf-8", "replace"))
    clean = read_yaml(write_yaml(clean))
    assert read_yaml(write_yaml(clean)) == clean


def test_yaml_is_written_for_people():
    sample = characters.get("palace-secretary")
    card = replace(sample, greeting="你好 🙂\n\n请坐。\n", questions=[])
    text = exchange.write(card, "yaml")[1].decode()
    assert text == (
        "name: 沈知微\nlanguage: zh\n"
        "persona: 你是沈知微，宫中掌文书的女官，说话文雅含蓄，自称微臣，称对方贵人。\n"
        "greeting: |\n  你好 🙂\n\n  请坐。\n"
    )


@pytest.mark.parametrize(
    ("data", "name", "persona"),
    [
        ({"char_name": "", "name": "X", "char_persona": "P"}, "X", "P"),
        ({"name": "X", "char_name": "", "description": "D", "char_persona": ""}, "X", "D"),
        ({"char_name": "Y", "name": "", "description": "", "char_persona": "P"}, "Y", "P"),
        ({"char_name": "Y", "name": "X", "char_persona": "P", "description": "D"}, "X", "D"),
    ],
)
def test_an_empty_word_of_another_program_takes_nothing_away(data, name, persona):
    """Whichever comes first in the file."""
    for order in (data, dict(reversed(data.items()))):
        card = exchange.read(json.dumps(order).encode())
        assert (card.name, card.persona) == (name, persona)


def test_a_long_creator_and_many_tags_refuse_no_card():
    """Neither is told to a model."""
    data = {"name": "X", "creator": "c" * 101, "tags": [f"t{n}" for n in range(101)]}
    card = exchange.read(json.dumps(data).encode())
    assert (card.creator, card.tags) == (data["creator"], data["tags"])


def test_a_png_is_read_in_other_ways_of_writing_base64():
    """That of addresses, and without padding."""
    name = "~~~???>>>x"
    usual = packed({"name": name})
    assert set("+/=") < set(usual)
    other = usual.replace("+", "-").replace("/", "_")
    for text in (usual, usual.rstrip("="), other, other.rstrip("=")):
        assert exchange.read(with_texts(drawn("x"), {"chara": text})).name == name
