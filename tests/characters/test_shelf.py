"""Own cards on their shelf: safe names, whole files, samples untouched."""

from dataclasses import replace

import pytest
from PIL import Image

from engine import characters
from engine.characters import avatar, shelf
from engine.characters.card import character
from engine.errors import UserError
from engine.places import characters_dir


def card(name="Mara", **values):
    return character("", {"name": name} | values)


def png(folder, size=(900, 300), colour=(200, 20, 20)):
    path = folder / "picture.png"
    Image.new("RGB", size, colour).save(path)
    return path.read_bytes()


def test_a_card_is_kept_listed_changed_and_deleted(tmp_path):
    kept = shelf.save(card("Old Tom", greeting="Ahoy.\n\n Two lines."), png(tmp_path))
    assert kept.id == "old-tom"
    assert characters.get("old-tom") == kept
    assert [one.id for one in characters.list_characters()][2:] == ["old-tom"]
    with Image.open(shelf.avatar_of("old-tom")) as picture:
        assert (picture.format, picture.size) == ("PNG", (768, 256))
    changed = shelf.save(replace(kept, greeting="Aye."))
    assert changed == replace(kept, greeting="Aye.")
    assert shelf.avatar_of("old-tom").is_file()
    shelf.save(changed, b"")
    assert shelf.avatar_of("old-tom") is None
    shelf.save(changed, png(tmp_path))
    shelf.delete("old-tom")
    assert list(characters_dir().iterdir()) == []
    assert len(characters.list_characters()) == 2


def test_a_sample_is_copied_never_changed():
    sample = characters.get("lighthouse-keeper")
    copy = shelf.save(replace(sample, greeting="Hm."))
    assert copy.id == "mara"
    assert characters.get("lighthouse-keeper") == sample
    with pytest.raises(UserError, match="no card of your own"):
        shelf.delete("lighthouse-keeper")


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("../../etc/passwd", "etc-passwd"),
        ("沈知微", "沈知微"),
        ("🙂🙂", "character"),
        ("Lighthouse-Keeper", "lighthouse-keeper-2"),
        ("a" * 100, "a" * 32),
        (".hidden", "hidden"),
    ],
)
def test_ids_are_names_of_files_in_the_folder(name, id):
    assert shelf.save(card(name)).id == id
    assert [one.name for one in characters_dir().iterdir()] == [f"{id}.yaml"]
    assert shelf.save(card(name)).id != id


@pytest.mark.parametrize("id", ["../runs/x", "", "mara/..", "x" * 41, "lighthouse-keeper"])
def test_only_own_cards_are_deleted(id):
    with pytest.raises(UserError, match="no card of your own"):
        shelf.delete(id)


def test_a_file_that_somebody_broke_is_passed_over_in_the_list_and_named_by_get():
    characters_dir().mkdir(parents=True)
    (characters_dir() / "broken.yaml").write_text("name: [", encoding="utf-8")
    (characters_dir() / "list.yaml").write_text("- 1", encoding="utf-8")
    assert len(characters.list_characters()) == 2
    with pytest.raises(UserError, match="YAML cannot be read"):
        characters.get("broken")
    with pytest.raises(UserError, match="no character card"):
        characters.get("list")


def test_a_bad_picture_leaves_no_half_card(tmp_path):
    with pytest.raises(UserError, match="no PNG or JPEG") as raised:
        shelf.save(card(), b"\x89PNG\r\n\x1a\n but no more")
    assert raised.value.field == "avatar"
    assert not characters_dir().exists()


def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(avatar, "MOST_PIXELS", 100)
    with pytest.raises(UserError, match="900 x 300 pixels"):
        avatar.reencoded(png(tmp_path))


def test_a_drawn_picture_belongs_to_its_name():
    assert avatar.drawn("Mara") == avatar.drawn("Mara") != avatar.drawn("Tom")
    assert avatar.reencoded(avatar.drawn("Mara"))
