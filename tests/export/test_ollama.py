"""The Modelfile: Ollama puts the same words into the same marks as the chat template does."""

import copy

import pytest

from engine.export.ollama import Pieces, modelfile, pieces

LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
    "{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<s>[INST] ' }}"
    "{% if loop.first and system %}{{ '<<SYS>>\n' + system + '\n<</SYS>>\n\n' }}{% endif %}"
    "{{ m['content'] + ' [/INST]' }}{% else %}{{ ' ' + m['content'] + ' </s>' }}{% endif %}"
    "{% endfor %}"
)
WITH_DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}<sys>Be good.</sys>{% endif %}"
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</{{ m['role'] }}>{% endfor %}"
    "{% if add_generation_prompt %}<assistant><think>{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('no system') }}{% endif %}{{ m['content'] }}{% endfor %}"
)
SHOUTS = "{% for m in messages %}{{ m['role'] + ':' + m['content'] | lower }}{% endfor %}"


@pytest.fixture
def with_template(tokenizer):
    def make(template):
        made = copy.deepcopy(tokenizer)
        made.chat_template = template
        return made

    return make


def test_marks_around_each_role(tokenizer):
    assert pieces(tokenizer) == Pieces(
        opening="",
        system=("<|im_start|>system\n", "<|im_end|>\n"),
        user=("<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"),
        assistant=("", "<|im_end|>\n"),
        ask="",
    )


def test_a_system_prompt_inside_the_first_turn(with_template):
    """Llama 2's; a conversation without one opens otherwise."""
    assert pieces(with_template(LLAMA2)) == Pieces(
        opening="<s>[INST] ",
        system=("<s>[INST] <<SYS>>\n", "\n<</SYS>>\n\n"),
        user=("", " [/INST]"),
        assistant=(" ", " </s><s>[INST] "),
        ask="",
    )


def test_a_default_system_prompt_and_a_mark_that_only_asks(with_template):
    found = pieces(with_template(WITH_DEFAULT))
    assert found.ask == "<think>"
    asked = found.together([{"role": "user", "content": "Hi"}])
    assert asked == "<sys>Be good.</sys><user>Hi</user><assistant><think>"


@pytest.mark.parametrize("template", [NO_SYSTEM, SHOUTS], ids=["no system", "changes words"])
def test_what_cannot_be_said_in_pieces_is_not_guessed(template, with_template):
    tokenizer = with_template(template)
    assert pieces(tokenizer) is None
    text = modelfile(tokenizer, "x.gguf", "", 512, frozenset())
    assert "TEMPLATE" not in text
    assert "# The model's chat template cannot be put into Ollama's words; see the GGUF." in text


def test_the_file(tokenizer):
    """Whole: template, system prompt, what ends an answer, the settings of Chat, the window."""
    ends = frozenset({0, 2, len(tokenizer)})  # the last is in the model's head only
    assert modelfile(tokenizer, "mara.gguf", 'Say """hi""".', 1024, ends).split("\n") == [
        "# Made by Greenroom: ollama create NAME -f Modelfile",
        "FROM ./mara.gguf",
        'TEMPLATE """{{ range .Messages }}{{ if eq .Role "system" }}<|im_start|>system',
        "{{ .Content }}<|im_end|>",
        '{{ else if eq .Role "user" }}<|im_start|>user',
        "{{ .Content }}<|im_end|>",
        "<|im_start|>assistant",
        '{{ else if eq .Role "assistant" }}{{ .Content }}<|im_end|>',
        '{{ end }}{{ end }}"""',
        "SYSTEM \"\"\"Say '''hi'''.\"\"\"",
        'PARAMETER stop "<|endoftext|>"',
        'PARAMETER stop "<|im_end|>"',
        "PARAMETER temperature 0.3",
        "PARAMETER top_p 0.9",
        "PARAMETER top_k 50",
        "PARAMETER repeat_penalty 1.05",
        "PARAMETER num_predict 256",
        "PARAMETER num_ctx 1024",
        "",
    ]
