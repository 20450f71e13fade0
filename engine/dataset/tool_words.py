"""Tools and their calls in words, for chat templates that know nothing of them."""

import json
from typing import Any

Messages = list[dict[str, Any]]
Tools = list[dict[str, Any]] | None
_OFFER = "You may call these tools. To call one, answer with its call alone."


def written_out(messages: Messages, tools: Tools, template: str) -> tuple[Messages, Tools]:
    """What the template does not know becomes text, in Qwen's marks: the tools a part of the system
    prompt, a call `<tool_call>` in an answer, a result `<tool_response>` in a turn of the user."""
    if tools and "tools" not in template:
        messages, tools = _with_offer(messages, tools), None
    uses_tools = any("tool_calls" in one or one["role"] == "tool" for one in messages)
    if uses_tools and "tool_calls" not in template:
        messages = _without_tool_turns(messages)
    return messages, tools


def _with_offer(messages: Messages, tools: list[dict[str, Any]]) -> Messages:
    described = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    offer = f"{_OFFER}\n<tools>\n{described}\n</tools>"
    if messages[0]["role"] != "system":
        return [{"role": "system", "content": offer}, *messages]
    return [{"role": "system", "content": f"{messages[0]['content']}\n\n{offer}"}, *messages[1:]]


def _without_tool_turns(messages: Messages) -> Messages:
    """Results that follow each other stand in one turn, so that sides still alternate."""
    written: Messages = []
    before = ""
    for one in messages:
        if one["role"] == "tool":
            said = f"<tool_response>\n{one['content']}\n</tool_response>"
            if before == "tool":
                said = f"{written.pop()['content']}\n{said}"
            written.append({"role": "user", "content": said})
        else:
            calls = [_call(call["function"]) for call in one.get("tool_calls", ())]
            said = "\n".join(part for part in (one["content"], *calls) if part)
            rest = {name: value for name, value in one.items() if name != "tool_calls"}
            written.append(rest | {"content": said})
        before = one["role"]
    return written


def _call(function: dict[str, Any]) -> str:
    return f"<tool_call>\n{json.dumps(function, ensure_ascii=False)}\n</tool_call>"


def with_written_arguments(messages: Messages) -> Messages:
    """For templates that join the arguments of a call to text instead of writing them as JSON."""
    return [
        one | {"tool_calls": [_written(call) for call in one["tool_calls"]]}
        if "tool_calls" in one
        else one
        for one in messages
    ]


def _written(call: dict[str, Any]) -> dict[str, Any]:
    function = call["function"]
    arguments = json.dumps(function["arguments"], ensure_ascii=False)
    return call | {"function": function | {"arguments": arguments}}
