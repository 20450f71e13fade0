"""The one place where a conversation becomes the text a model reads, in training and in chat."""

import threading
from functools import lru_cache
from itertools import compress
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.dataset.reasoning import NAMES, for_template, reasons
from engine.dataset.tool_words import with_written_arguments, written_out
from engine.dataset.weight import is_learned
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
# As many bases of 2023 were taught; the plain text makes no demands on a vocabulary.
INSTRUCTION_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] }}\n\n"
    "{% elif message['role'] == 'user' %}### Instruction:\n{{ message['content'] }}\n\n"
    "### Response:\n"
    "{% else %}{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{{ '\n\n' }}{% endif %}{% endfor %}"
)
PLAIN_NOTE = Sentence(
    "This model has no chat template of its own; Greenroom's plain one (User: / Assistant:) "
    "is used, and saved with the adapter.",
    "这个模型没有自己的对话模板；这里用 Greenroom 的简单模板（User: / Assistant:），"
    "并随适配器一起保存。",
)


# Transformers keeps one compiled template for all threads, and its generation marks hold state.
_rendering = threading.Lock()
_NO_TOKENS = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), "")


class Rendered(NamedTuple):
    """A prompt and the character spans of its answers that are learned (not those of weight 0),
    each with its end-of-turn mark."""

    text: str
    answers: list[tuple[int, int]]


def with_template(
    tokenizer: "PreTrainedTokenizerBase", chat_template: str = "model"
) -> Sentence | None:
    """Gives the tokenizer the template that `TrainConfig.chat_template` names; where the model has
    none of its own it gets the plain one, and that is said."""
    if chat_template == "instruction":
        tokenizer.chat_template = INSTRUCTION_TEMPLATE
        return None
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
    tools: list[dict[str, Any]] | None = None,
    add_generation_prompt: bool = False,
) -> Rendered:
    """Renders through the tokenizer's chat template; tools, their calls and reasoning as plain text
    where the template does not know them.

    Answer spans come from the template's `{% generation %}` marks; without them, from rendering
    the conversation turn by turn. Raises UserError when the template refuses the conversation.
    """
    (rendered,) = render_all(tokenizer, [(messages, tools)], add_generation_prompt)
    return rendered


def render_all(
    tokenizer: "PreTrainedTokenizerBase",
    conversations: list[tuple[list[dict[str, Any]], list[dict[str, Any]] | None]],
    add_generation_prompt: bool = False,
) -> list[Rendered]:
    """`render` of many (messages, tools): those without tools in one call, which saves a third."""
    known = [_as_known(tokenizer, *one) for one in conversations]
    plain = [messages for messages, tools in known if not tools]
    quick = iter(_apply(tokenizer, plain, None, add_generation_prompt) if plain else [])
    rendered = []
    for messages, tools in known:
        if tools:
            (one,) = _apply(tokenizer, [messages], tools, add_generation_prompt)
        else:
            one = next(quick)
        text, spans = one
        answers = [m for m in messages if m["role"] == "assistant"]
        learned = [is_learned(one) for one in answers]
        if (answers and not spans) or not (all(learned) or len(spans) == len(answers)):
            spans = _spans_by_prefix(tokenizer, messages, tools, text)
        elif not all(learned):
            spans = list(compress(spans, learned))
        rendered.append(Rendered(text, spans))
    return rendered


def _as_known(tokenizer, messages, tools) -> tuple[list[dict[str, Any]], Any]:
    """What the template does not know is put into words."""
    template = tokenizer.get_chat_template(tools=tools)
    if reasons(messages):
        messages = for_template(messages, _name_of_reasoning(template))
    return written_out(messages, tools, template)


@lru_cache(maxsize=16)
def _name_of_reasoning(template: str) -> str:
    """Under which name this template reads the reasoning of an answer; "" when under none."""
    import jinja2
    from transformers.utils.chat_template_utils import render_jinja_template

    asked = {"role": "user", "content": "a"}
    for name in NAMES:
        talk = [asked, {"role": "assistant", "content": "b", name: "because"}]
        try:
            with _rendering:
                (text,), _ = render_jinja_template([talk], chat_template=template, **_NO_TOKENS)
        except (jinja2.TemplateError, TypeError):
            continue
        if "because" in text:
            return name
    return ""


def _apply(
    tokenizer, conversations, tools, add_generation_prompt
) -> list[tuple[str, list[tuple[int, int]]]]:
    import jinja2

    try:
        try:
            return _rendered(tokenizer, conversations, tools, add_generation_prompt)
        except TypeError:  # some templates want the arguments of a call as text
            written = [with_written_arguments(messages) for messages in conversations]
            if written == conversations:
                raise
            return _rendered(tokenizer, written, tools, add_generation_prompt)
        except jinja2.TemplateError:  # and some want a user before the greeting of a character
            answered = [_answering(messages) for messages in conversations]
            if answered == conversations:
                raise
            return _rendered(tokenizer, answered, tools, add_generation_prompt)
    except (jinja2.TemplateError, TypeError) as error:
        raise UserError(
            f"This model's chat template refuses the conversation: {error}. Remove the system "
            "prompt if there is one, and let turns of user and assistant alternate.",
            f"这个模型的对话模板拒绝这段对话：{error}。"
            "如有系统提示词请去掉，并让用户与助手轮流发言。",
        ) from error


def _answering(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A conversation that begins with an answer, as one to an empty question."""
    at = next((i for i, one in enumerate(messages) if one["role"] != "system"), len(messages))
    if messages[at : at + 1] and messages[at]["role"] == "assistant":
        return [*messages[:at], {"role": "user", "content": ""}, *messages[at:]]
    return messages


def _rendered(
    tokenizer, conversations, tools, add_generation_prompt
) -> list[tuple[str, list[tuple[int, int]]]]:
    from transformers.utils.chat_template_utils import render_jinja_template

    template = tokenizer.get_chat_template(tools=tools)
    with _rendering:
        texts, spans = render_jinja_template(
            conversations=conversations,
            tools=tools,
            chat_template=template,
            return_assistant_tokens_mask="{% generation" in template.replace("{%-", "{%"),
            add_generation_prompt=add_generation_prompt,
            **tokenizer.special_tokens_map,
        )
    spans = spans or [[]] * len(texts)
    return [(text, [tuple(one) for one in some]) for text, some in zip(texts, spans, strict=True)]


def _spans_by_prefix(tokenizer, messages, tools, text) -> list[tuple[int, int]]:
    """An answer is what is added to the prompt before it; trailing white space is not learned."""
    spans = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant" or all(m["role"] != "user" for m in messages[:i]):
            continue  # a greeting, which only chat begins with, answers nobody
        if not is_learned(message):
            continue
        ((before, _),) = _apply(tokenizer, [messages[:i]], tools, True)
        ((until, _),) = _apply(tokenizer, [messages[: i + 1]], tools, False)
        until = until.rstrip()
        if not (until.startswith(before) and text.startswith(until)):
            last = max(j for j, m in enumerate(messages) if m["role"] == "assistant")
            if i != last:  # templates that rewrite earlier turns teach only the last answer
                continue
            before = _before(message, before, text)
            until = text.rstrip()
        spans.append((len(before), len(until)))
    return spans


def _before(message: dict[str, Any], asked: str, text: str) -> str:
    """What stands before the last answer, where the prompt to it (`asked`) is rewritten."""
    said = message["content"] if message.keys().isdisjoint(NAMES) else ""
    at = text.rfind(said) if said else -1  # "" where it calls a tool instead
    return text[:at] if at >= 0 else commonprefix([asked, text])
