"""Template and stop tokens of its training are those that a voice speaks with."""

import json
import shutil

import pytest

from engine.chat.manner import Manner, manner_of
from engine.chat.many import answer_many
from engine.chat.sampling import checked
from engine.chat.voices import BASE, Voices
from engine.errors import UserError
from engine.models.load import Quantization, load_base
from engine.training.once import greedy_ids

TEMPLATE = "{% for m in messages %}<<{{ m['role'] }}>>{{ m['content'] }}{% endfor %}=>"
TURNS = [{"role": "user", "content": "Hello"}]


@pytest.fixture
def base(tokenizer):
    return Manner(tokenizer, frozenset({2, 5}), "")


def test_what_the_adapter_does_not_say_is_as_in_the_base(base, tmp_path):
    assert manner_of(base, tmp_path, {}) == base
    for odd in ("no such token", 7, None, ["<|im_end|>"], {"content": 7}):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": odd}))
        assert manner_of(base, tmp_path, {"stop_token": odd}) == base


@pytest.mark.parametrize(
    ("said", "prompt"), [("Be kind.", "Be kind."), (None, ""), (7, ""), ({"a": 1}, "")]
)
def test_its_system_prompt_is_text(base, tmp_path, said, prompt):
    assert manner_of(base, tmp_path, {"system_prompt": said}).system_prompt == prompt


def test_a_template_that_is_no_text_is_a_sentence(base, tmp_path):
    """As some editors save it, in UTF-16."""
    (tmp_path / "chat_template.jinja").write_bytes(TEMPLATE.encode("utf-16"))
    with pytest.raises(UserError, match="chat_template.jinja is no UTF-8 text") as raised:
        manner_of(base, tmp_path, {})
    assert raised.value.field == "adapter"


@pytest.mark.parametrize("place", ["file", "config", "names"])
def test_its_template_and_stop_token(base, tmp_path, place):
    """Old folders hold the template in the tokenizer's config; of several none is the default."""
    before = base.tokenizer.chat_template
    if place == "file":
        (tmp_path / "chat_template.jinja").write_text(TEMPLATE)
    else:
        template = TEMPLATE if place == "config" else [{"name": "x", "template": TEMPLATE}]
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    stop = base.tokenizer.convert_ids_to_tokens(300)
    manner = manner_of(base, tmp_path, {"stop_token": stop})
    assert manner.tokenizer.chat_template == (before if place == "names" else TEMPLATE)
    assert base.tokenizer.chat_template == before
    assert manner.ends == {2, 5, 300}


@pytest.mark.parametrize("is_described", [False, True])
def test_an_adapter_made_elsewhere_ends_at_the_eos_of_its_tokenizer(base, tmp_path, is_described):
    """It has no card; the token stands there by itself, or with how it is split."""
    eos = base.tokenizer.convert_ids_to_tokens(300)
    said = {"eos_token": {"content": eos, "lstrip": False} if is_described else eos}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(said))
    assert manner_of(base, tmp_path, {}).ends == {2, 5, 300}


@pytest.mark.parametrize("several", [True, False])
def test_all_end_where_the_base_is_said_to_end(
    tiny_model_folder, make_adapter, tmp_path, cpu, several
):
    """generation_config.json names one token or several: base and adapter stop at each, beside the
    tokenizer's own, in chat, among many questions, and in the samples of a training."""
    long = Voices(str(tiny_model_folder), cpu, Quantization())
    settings = {"temperature": 0, "repetition_penalty": 1, "max_new_tokens": 12}
    speaker = long.speaker(BASE, TURNS, checked(settings))
    (ids,) = greedy_ids(long.base, long.tokenizer, [speaker.prompt_ids], 12)
    at = next(at for at in range(2, 12) if ids[at] not in ids[:at])

    folder = shutil.copytree(tiny_model_folder, tmp_path / "ends")
    file = folder / "generation_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"eos_token_id": [7, ids[at]] if several else ids[at]}))
    voices = Voices(str(folder), cpu, Quantization())
    voices.use({"one": make_adapter(tmp_path / "one", 1, str(folder))})
    ends = {2, ids[at], 7} if several else {2, ids[at]}
    assert {name: one.ends for name, one in voices.manners.items()} == {BASE: ends, "one": ends}
    *_, said = voices.answer({BASE: TURNS}, **settings)
    (many,) = answer_many(voices, [{BASE: TURNS}], **settings)
    for answer in (said[BASE], *many["answers"]):
        assert (answer["tokens"], answer["stopped_by"]) == (at, "end")
    trained = load_base(str(folder), cpu, Quantization())
    assert greedy_ids(trained, voices.tokenizer, [speaker.prompt_ids], 12) == [ids[: at + 1]]


def test_voices_of_two_templates_read_two_prompts(tiny_model_folder, make_adapter, tmp_path, cpu):
    """One has a dot in its name, which PEFT does not take as it is."""
    plain, own = make_adapter(tmp_path / "plain.v1", 1), make_adapter(tmp_path / "own", 2)
    (own / "chat_template.jinja").write_text(TEMPLATE)
    voices = Voices(str(tiny_model_folder), cpu, Quantization())
    voices.use({"plain.v1": plain, "own": own})
    *_, said = voices.answer(dict.fromkeys(voices.names, TURNS), max_new_tokens=2)
    assert said["own"]["prompt"] == "<<user>>Hello=>"
    assert said["plain.v1"]["prompt"] == said[BASE]["prompt"] != said["own"]["prompt"]
    voices.use({"own": plain})
    *_, said = voices.answer(dict.fromkeys(voices.names, TURNS), max_new_tokens=2)
    assert said["own"]["prompt"] == said[BASE]["prompt"]
