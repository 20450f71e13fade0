"""The one place where a conversation becomes the text a model reads, in training and in chat."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# For base models that bring no template of their own; travels with the adapter like any other.
PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}\n"
    "{% elif message['role'] == 'user' %}User: {{ message['content'] }}\nAssistant:\n"
    "{% else %}{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{{ '\n' }}{% endif %}{% endfor %}"
)
PLAIN_NOTE = Sentence(
    "This model has no chat template of its own; Greenroom's plain one (User: / Assistant:) "
    "is used, and saved with the adapter.",
    "这个模型没有自己的对话模板；这里用 Greenroom 的简单模板（User: / Assistant:），"
    "并随适配器一起保存。",
)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt and the character spans of its answers, each with its end-of-turn mark."""

    text: str
    answers: list[tuple[int, int]]


def with_template(tokenizer: "PreTrainedTokenizerBase") -> Sentence | None:
    """Gives a tokenizer without a chat template the plain one, and says so."""
    if tokenizer.chat_template:
        return None
    tokenizer.chat_template = PLAIN_TEMPLATE
    return PLAIN_NOTE


def with_system(messages: list[dict[str, str]], system_prompt: str) -> list[dict[str, str]]:
    """Puts the run's system prompt before a conversation that has none of its own."""
    if not system_prompt.strip() or messages[0]["role"] == "system":
        return messages
    return [{"role": "system", "content": system_prompt.strip()}, *messages]


def render(
    tokenizer: "PreTrainedTokenizerBase",
    messages: list[dict[str, Any]],
    add_generation_prompt: bool = False,
) -> Rendered:
    """Renders through the tokenizer's chat template.

    Answer spans come from the template's `{% generation %}` marks; without them, from rendering
    the conversation turn by turn. Raises UserError when the template refuses the conversation.
    """
    text, spans = _apply(tokenizer, messages, add_generation_prompt)
    if not spans and any(m["role"] == "assistant" for m in messages):
        spans = _spans_by_prefix(tokenizer, messages, text)
    return Rendered(text, spans)


def _apply(tokenizer, messages, add_generation_prompt) -> tuple[str, list[tuple[int, int]]]:
    import jinja2
    from transformers.utils.chat_template_utils import render_jinja_template

    template = tokenizer.get_chat_template()
    try:
        texts, spans = render_jinja_template(
            conversations=[messages],
            chat_template=template,
            return_assistant_tokens_mask="{% generation" in template.replace("{%-", "{%"),
            add_generation_prompt=add_generation_prompt,
            **tokenizer.special_tokens_map,
        )
    except jinja2.TemplateError as error:
        raise UserError(
            f"This model's chat template refuses the conversation: {error}. Remove the system "
            "prompt if there is one, and let turns of user and assistant alternate.",
            f"这个模型的对话模板拒绝这段对话：{error}。"
            "如有系统提示词请去掉，并让用户与助手轮流发言。",
        ) from error
    return texts[0], [tuple(span) for span in spans[0]] if spans else []


def _spans_by_prefix(tokenizer, messages, text) -> list[tuple[int, int]]:
    """An answer is what is added to the prompt before it; trailing white space is not learned."""
    spans = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before, _ = _apply(tokenizer, messages[:i], True)
        until, _ = _apply(tokenizer, messages[: i + 1], False)
        until = until.rstrip()
        if not (until.startswith(before) and text.startswith(until)):
            last = max(j for j, m in enumerate(messages) if m["role"] == "assistant")
            if i != last:  # templates that rewrite earlier turns teach only the last answer
                continue
            before = text[: text.rfind(message["content"])]
            until = text.rstrip()
        spans.append((len(before), len(until)))
    return spans
