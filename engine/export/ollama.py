"""An Ollama Modelfile: how Ollama puts turns together, what ends an answer, how words are drawn.

Ollama has a template language of its own. What stands before and after each role's words is found
by rendering the model's chat template around marks, and is then proved on conversations.
"""

from dataclasses import dataclass
from os.path import commonprefix
from typing import TYPE_CHECKING

from engine.chat.sampling import DEFAULTS
from engine.dataset.prompt import render
from engine.errors import UserError
from engine.export.gguf_tokens import adds_bos

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MARKS = ("SYSTEMWORDS", "FIRSTWORDS", "ANSWERWORDS", "SECONDWORDS")
_SYSTEM, _FIRST, _ANSWER, _SECOND = (
    {"role": role, "content": mark}
    for role, mark in zip(("system", "user", "assistant", "user"), _MARKS, strict=True)
)
_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repetition_penalty": "repeat_penalty",
    "max_new_tokens": "num_predict",
}


@dataclass(frozen=True, slots=True)
class Pieces:
    """What stands before and after the words of each role. `opening` comes first where there is no
    system prompt, `ask` at the end, where the answer begins."""

    opening: str
    system: tuple[str, str]
    user: tuple[str, str]
    assistant: tuple[str, str]
    ask: str

    def together(self, messages: list[dict[str, str]]) -> str:
        """A conversation as Ollama renders it."""
        text = "" if messages[0]["role"] == "system" else self.opening
        for message in messages:
            before, after = getattr(self, message["role"])
            text += before + message["content"] + after
        return text + self.ask


def modelfile(
    tokenizer: "PreTrainedTokenizerBase",
    gguf: str,
    system_prompt: str,
    window: int,
    ends: frozenset[int],
) -> str:
    """The text of a Modelfile beside the file called `gguf`; `ends` are the tokens that end an
    answer. Where the chat template does more than put words between marks there is no TEMPLATE, and
    a comment that says so."""
    lines = ["# Made by Greenroom: ollama create NAME -f Modelfile", f"FROM ./{gguf}"]
    found = pieces(tokenizer)
    if found:
        lines.append(f"TEMPLATE {_quoted(_in_go(found, tokenizer))}")
    else:
        lines.append("# The model's chat template cannot be put into Ollama's words; see the GGUF.")
    if system_prompt:
        lines.append(f"SYSTEM {_quoted(system_prompt)}")
    stops = sorted(filter(None, map(tokenizer.convert_ids_to_tokens, ends)))
    lines += [f'PARAMETER stop "{one}"' for one in stops]
    lines += [f"PARAMETER {theirs} {DEFAULTS[ours]:g}" for ours, theirs in _PARAMETERS.items()]
    return "\n".join([*lines, f"PARAMETER num_ctx {window}"]) + "\n"


def pieces(tokenizer: "PreTrainedTokenizerBase") -> Pieces | None:
    """None where no pieces make up what the template renders, with and without a system prompt."""
    one, two = [_FIRST], [_FIRST, _ANSWER, _SECOND]
    try:
        before, after = _around(tokenizer, one)
        _, between, behind, _ = _around(tokenizer, two)
        ahead, mid, *_ = _around(tokenizer, [_SYSTEM, *two])
        user = _common_end(before, mid, behind)
        closed = commonprefix([after, between])
        found = Pieces(
            opening=before.removesuffix(user),
            system=(ahead, mid.removesuffix(user)),
            user=(user, closed),
            assistant=(between.removeprefix(closed), behind.removesuffix(user)),
            ask=after.removeprefix(closed),
        )
        proofs = (one, two, [_SYSTEM, *one], [_SYSTEM, *two])
        same = all(found.together(proof) == _rendered(tokenizer, proof) for proof in proofs)
    except (UserError, ValueError):  # it knows no system prompt, or changes the words
        return None
    return found if same else None


def _around(tokenizer, messages: list[dict[str, str]]) -> list[str]:
    """What stands before, between and after the words. Raises ValueError where they are changed."""
    text, around = _rendered(tokenizer, messages), []
    for message in messages:
        before, mark, text = text.partition(message["content"])
        if not mark:
            raise ValueError(message["content"])
        around.append(before)
    return [*around, text]


def _rendered(tokenizer, messages: list[dict[str, str]]) -> str:
    return render(tokenizer, messages, add_generation_prompt=True).text


def _common_end(*texts: str) -> str:
    return commonprefix([one[::-1] for one in texts])[::-1]


def _in_go(found: Pieces, tokenizer: "PreTrainedTokenizerBase") -> str:
    """In Go's template language; a begin-of-text that llama.cpp adds by itself is left out."""
    bos = tokenizer.bos_token if adds_bos(tokenizer) else ""
    roles = []
    for role in ("system", "user", "assistant"):
        before, after = getattr(found, role)
        before = before.removeprefix(bos) if role == "system" else before
        roles.append(
            f'if eq .Role "{role}" }}}}{_plain(before)}{{{{ .Content }}}}{_plain(after)}{{{{ '
        )
    opening = _plain(found.opening.removeprefix(bos))
    begun = f"{{{{ if not .System }}}}{opening}{{{{ end }}}}" if opening else ""
    return (
        f"{begun}{{{{ range .Messages }}}}{{{{ {'else '.join(roles)}end }}}}{{{{ end }}}}"
        f"{_plain(found.ask)}"
    )


def _plain(text: str) -> str:
    """Braces that Go would read as its own."""
    return text.replace("{{", '{{ "{{" }}')


def _quoted(text: str) -> str:
    """Ollama has no way to write its three quotes inside three quotes."""
    return '"""' + text.replace('"""', "'''") + '"""'
