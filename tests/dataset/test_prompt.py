"""One rendering for training and chat, and where in it the answers lie."""

import copy

import pytest

from engine.dataset.prompt import (
    PLAIN_TEMPLATE,
    render,
    render_all,
    with_system,
    with_template,
)
from engine.errors import UserError

TURNS = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yes."},
    {"role": "user", "content": "走吗"},
    {"role": "assistant", "content": "不。"},
]
PLAIN = "Be kind.\nUser: Hi\nAssistant:\nYes.<|im_end|>\nUser: 走吗\nAssistant:\n不。<|im_end|>\n"


@pytest.fixture
def plain(tokenizer):
    bare = copy.deepcopy(tokenizer)
    bare.chat_template = None
    note = with_template(bare)
    assert "no chat template" in note.en
    return bare


def answers(rendered):
    return [rendered.text[begin:end] for begin, end in rendered.answers]


def test_sprouts_template_exactly(tokenizer):
    rendered = render(tokenizer, TURNS)
    assert rendered.text == (
        "<|im_start|>system\nBe kind.<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nYes.<|im_end|>\n"
        "<|im_start|>user\n走吗<|im_end|>\n"
        "<|im_start|>assistant\n不。<|im_end|>\n"
    )
    assert answers(rendered) == ["Yes.<|im_end|>", "不。<|im_end|>"]


def test_the_prompt_to_answer_is_the_beginning_of_what_is_trained(tokenizer, plain):
    for one in (tokenizer, plain):
        whole = render(one, TURNS)
        asked = render(one, TURNS[:-1], add_generation_prompt=True)
        assert whole.text[: whole.answers[-1][0]] == asked.text


def test_a_model_without_a_template_gets_the_plain_one(plain, tokenizer):
    assert plain.chat_template == PLAIN_TEMPLATE
    rendered = render(plain, TURNS)
    assert rendered.text == PLAIN
    assert answers(rendered) == ["Yes.<|im_end|>", "不。<|im_end|>"]
    assert with_template(tokenizer) is None


@pytest.mark.parametrize("which", ["sprout", "plain"])
def test_spans_by_prefix_equal_spans_by_marks(which, tokenizer, plain):
    """Most models' templates have no generation marks; the same spans must be found without."""
    marked = tokenizer if which == "sprout" else plain
    stripped = without_marks(marked)
    for messages in (TURNS, TURNS[1:], TURNS[1:3]):
        assert render(stripped, messages) == render(marked, messages)


def test_answers_of_weight_0_have_no_span(tokenizer):
    """By marks and by prefix; where a template teaches the last answer only, too."""
    first, last = ([*TURNS[:2], TURNS[2] | {"weight": a}, TURNS[3], TURNS[4] | {"weight": b}]
                   for a, b in ((0, 1), (1, 0)))  # fmt: skip
    for one in (tokenizer, without_marks(tokenizer)):
        assert answers(render(one, first)) == ["不。<|im_end|>"]
        assert answers(render(one, last)) == ["Yes.<|im_end|>"]
        assert render(one, last).text == render(one, TURNS).text


def without_marks(tokenizer):
    stripped = copy.deepcopy(tokenizer)
    for word in ("generation", "endgeneration"):
        for form in ("{%- " + word + " %}", "{% " + word + " %}"):
            stripped.chat_template = stripped.chat_template.replace(form, "")
    assert "generation %" not in stripped.chat_template
    return stripped


def test_a_template_that_rewrites_earlier_turns_teaches_the_last_answer(tokenizer):
    """As templates do that drop the thinking of earlier turns."""
    rewriting = copy.deepcopy(tokenizer)
    rewriting.chat_template = (
        "{% for m in messages %}[{{ m.role }}]"
        "{% if m.role == 'assistant' and not loop.last %}...{% else %}{{ m.content }}{% endif %}"
        "{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    assert answers(render(rewriting, TURNS)) == ["不。<|im_end|>"]


def test_a_template_that_refuses_is_a_sentence(tokenizer):
    with pytest.raises(UserError, match="chat template refuses the conversation: The roles are"):
        render(tokenizer, [{"role": "critic", "content": "x"}])


STRICT = (
    "{% for m in messages if m['role'] != 'system' %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "[{{ m['role'] }}:{{ m['content'] }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}"
)


@pytest.mark.parametrize("system", [[], TURNS[:1]])
def test_a_greeting_comes_first_also_where_the_template_wants_a_user(tokenizer, system):
    """As an answer to nothing; what is out of order otherwise stays refused."""
    strict = copy.deepcopy(tokenizer)
    strict.chat_template = STRICT
    greeting, asked = {"role": "assistant", "content": "Aye."}, {"role": "user", "content": "Hi"}
    rendered = render(strict, [*system, greeting, asked], add_generation_prompt=True)
    assert rendered.text == "[user:][assistant:Aye.][user:Hi]>"
    ours = render(tokenizer, [greeting, asked], add_generation_prompt=True)
    assert ours.text.startswith("<|im_start|>assistant\nAye.<|im_end|>\n<|im_start|>user\nHi")
    with pytest.raises(UserError, match="must alternate"):
        render(strict, [greeting, asked, asked])


def test_the_system_prompt_stands_before_rows_without_their_own():
    assert with_system(TURNS[1:], " Be brief. ")[0] == {"role": "system", "content": "Be brief."}
    assert with_system(TURNS[1:], " Be brief. ")[1:] == TURNS[1:]
    assert with_system(TURNS, "Be brief.") == TURNS
    assert with_system(TURNS[1:], "  ") == TURNS[1:]


def test_marks_of_the_template_within_a_message_do_not_end_it(tokenizer):
    """What a person writes about templates is text; it runs nothing."""
    said = "{{ 7 * 7 }} {% generation %}"
    rendered = render(tokenizer, [{"role": "user", "content": said}])
    assert said in rendered.text


ASKED = {"role": "user", "content": "Where?"}
CALL = {"type": "function", "function": {"name": "find", "arguments": {"what": "猫"}}}
CALLING = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": '{"at": 3}'}
TOLD = {"role": "assistant", "content": "At 3."}
TOOLS = [{"type": "function", "function": {"name": "find", "description": "", "parameters": {}}}]


def with_chat_template(tokenizer, template):
    other = copy.deepcopy(tokenizer)
    other.chat_template = template
    return other


def test_tools_in_words_where_the_template_knows_none(tokenizer):
    """The tools stand in the system prompt, calls are answers that are learned, results that
    follow each other are one turn of the user."""
    messages = [TURNS[0], ASKED, CALLING, RESULT, RESULT, TOLD]
    rendered = render(tokenizer, messages, TOOLS)
    assert rendered.text == (
        "<|im_start|>system\nBe kind.\n\n"
        "You may call these tools. To call one, answer with its call alone.\n<tools>\n"
        '{"type": "function", "function": {"name": "find", "description": "", "parameters": {}}}'
        "\n</tools><|im_end|>\n"
        "<|im_start|>user\nWhere?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "find", "arguments": {"what": "猫"}}\n'
        "</tool_call><|im_end|>\n"
        '<|im_start|>user\n<tool_response>\n{"at": 3}\n</tool_response>\n'
        '<tool_response>\n{"at": 3}\n</tool_response><|im_end|>\n'
        "<|im_start|>assistant\nAt 3.<|im_end|>\n"
    )
    assert answers(rendered) == [
        '<tool_call>\n{"name": "find", "arguments": {"what": "猫"}}\n</tool_call><|im_end|>',
        "At 3.<|im_end|>",
    ]
    assert CALLING["content"] == ""
    assert render(tokenizer, messages[1:], TOOLS).text.startswith("<|im_start|>system\nYou may")


def test_tools_go_through_a_template_that_knows_them(tokenizer):
    knowing = with_chat_template(
        tokenizer,
        "{% if tools %}[{{ tools[0].function.name }}]{% endif %}{% for m in messages %}{{ m.role }}"
        ":{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments.what }}{% endif %}"
        "{{ m.content }};{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}",
    )
    rendered = render(knowing, [ASKED, CALLING, RESULT, TOLD], TOOLS)
    assert rendered.text == '[find]user:Where?;assistant:猫;tool:{"at": 3};assistant:At 3.;'
    assert answers(rendered) == ["猫;", "At 3.;"]
    asked = render(knowing, [ASKED], TOOLS, add_generation_prompt=True)
    assert asked.text == "[find]user:Where?;assistant:"


def test_a_template_that_wants_arguments_as_text_gets_them(tokenizer):
    joining = with_chat_template(
        tokenizer,
        "{% for m in messages %}{{ m.role + ':' + m.content }}{% for c in m.tool_calls %}"
        "{{ 'call ' + c.function.arguments }}{% endfor %};{% endfor %}",
    )
    assert render(joining, [ASKED, CALLING]).text == ('user:Where?;assistant:call {"what": "猫"};')


def test_a_last_call_is_learned_where_the_template_rewrites(tokenizer):
    """The prompt to answer is not the beginning of what is trained, and the call has no text that
    could be found instead."""
    rewriting = with_chat_template(
        tokenizer,
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% for c in m.tool_calls %}"
        "call {{ c.function.name }}{% endfor %};{% endfor %}"
        "{% if add_generation_prompt %}[assistant]<think>{% endif %}",
    )
    assert answers(render(rewriting, [ASKED, CALLING])) == ["call find;"]


def test_many_are_rendered_as_each_alone(tokenizer, plain):
    some = [(TURNS, None), ([ASKED, CALLING, RESULT, TOLD], TOOLS), (TURNS[1:3], None)]
    knowing = with_chat_template(
        tokenizer,
        "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{% for m in messages %}"
        "{{ m.tool_calls }}{{ m.content }}{{ eos_token }}{% endfor %}",
    )
    for one in (tokenizer, plain, knowing):
        assert render_all(one, some) == [render(one, *conversation) for conversation in some]


THOUGHT = TOLD | {"reasoning_content": "It was at 3."}


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_goes_through_a_template_that_knows_it(tokenizer, name):
    """Under the name of the template, and learned as part of the answer, though the prompt to
    answer ends otherwise."""
    knowing = with_chat_template(
        tokenizer,
        "{% for m in messages %}[{{ m.role }}]{% if m.NAME %}<think>{{ m.NAME }}</think>{% endif %}"
        "{{ m.content }};{% endfor %}"
        "{% if add_generation_prompt %}[assistant]<think></think>{% endif %}".replace("NAME", name),
    )
    rendered = render(knowing, [ASKED, THOUGHT])
    assert rendered.text == "[user]Where?;[assistant]<think>It was at 3.</think>At 3.;"
    assert answers(rendered) == ["It was at 3.</think>At 3.;"]


def test_reasoning_in_words_where_the_template_knows_none(tokenizer, plain):
    """Before the answer, and before a call of a tool; what was given stays as it is."""
    calling = CALLING | {"reasoning_content": "I look."}
    rendered = render(tokenizer, [ASKED, calling, RESULT, THOUGHT], TOOLS)
    assert answers(rendered) == [
        '<think>\nI look.\n</think>\n<tool_call>\n{"name": "find", "arguments": '
        '{"what": "猫"}}\n</tool_call><|im_end|>',
        "<think>\nIt was at 3.\n</think>\n\nAt 3.<|im_end|>",
    ]
    assert answers(render(plain, [ASKED, THOUGHT])) == answers(rendered)[1:]
    assert THOUGHT["reasoning_content"] == "It was at 3."


def test_a_template_that_drops_reasoning_teaches_the_answer(tokenizer):
    """As DeepSeek R1's, whose prompt to answer begins to think."""
    forgetful = with_chat_template(
        tokenizer,
        "{% for m in messages %}[{{ m.role }}]{{ m.content.split('</think>')[-1].strip() }};"
        "{% endfor %}{% if add_generation_prompt %}[assistant]<think>{% endif %}",
    )
    assert answers(render(forgetful, [ASKED, THOUGHT])) == ["At 3.;"]


def test_instructions_in_place_of_the_models_own_template(tokenizer):
    """What it reads before an answer is what it is asked with; only the answers are marked."""
    asked = copy.deepcopy(tokenizer)
    assert with_template(asked, "instruction") is None
    rendered = render(asked, TURNS)
    assert rendered.text == (
        "Be kind.\n\n### Instruction:\nHi\n\n### Response:\nYes.<|im_end|>\n\n"
        "### Instruction:\n走吗\n\n### Response:\n不。<|im_end|>\n\n"
    )
    assert answers(rendered) == ["Yes.<|im_end|>", "不。<|im_end|>"]
    question = render(asked, TURNS[:4], add_generation_prompt=True)
    assert rendered.text.startswith(question.text + "不。")
    assert with_template(asked) is None  # a template that is there stays
    assert "### Instruction" in asked.chat_template
