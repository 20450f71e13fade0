"""Template and stop token that an adapter was trained with are those that it speaks with."""

import json

import pytest

from engine.chat.manner import manner_of
from engine.chat.voices import BASE, Voices
from engine.models.load import Quantization

TEMPLATE = "{% for m in messages %}<<{{ m['role'] }}>>{{ m['content'] }}{% endfor %}=>"
TURNS = [{"role": "user", "content": "Hello"}]


def test_what_the_adapter_does_not_say_is_as_in_the_base(tokenizer, tmp_path):
    base = manner_of(tokenizer, None, {})
    assert base.tokenizer is tokenizer
    assert manner_of(tokenizer, tmp_path, {"stop_token": "no such token"}) == base


@pytest.mark.parametrize(
    ("said", "prompt"), [("Be kind.", "Be kind."), (None, ""), (7, ""), ({"a": 1}, "")]
)
def test_its_system_prompt_is_text(tokenizer, tmp_path, said, prompt):
    assert manner_of(tokenizer, tmp_path, {"system_prompt": said}).system_prompt == prompt


@pytest.mark.parametrize("place", ["file", "config", "names"])
def test_its_template_and_stop_token(tokenizer, tmp_path, place):
    """Old folders hold the template in the tokenizer's config; of several none is the default."""
    before = tokenizer.chat_template
    if place == "file":
        (tmp_path / "chat_template.jinja").write_text(TEMPLATE)
    else:
        template = TEMPLATE if place == "config" else [{"name": "x", "template": TEMPLATE}]
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    stop = tokenizer.convert_ids_to_tokens(300)
    manner = manner_of(tokenizer, tmp_path, {"stop_token": stop})
    assert manner.tokenizer.chat_template == (before if place == "names" else TEMPLATE)
    assert tokenizer.chat_template == before
    assert manner.ends - manner_of(tokenizer, None, {}).ends == {300}


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
