"""Tools and tool calls, in the one form that Transformers' chat templates take."""

import ast
import json
from typing import Any

from engine.dataset.meaning.reasons import BAD_CALL, BAD_TOOLS, Dropped


def from_json(value: Any) -> Any:
    """The value that a text holds as JSON, or as Python writes it (pandas does so in a CSV); the
    text itself, stripped, when it is neither. What is no text stays."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text[:1] not in ("[", "{"):
        return text
    try:
        found = json.loads(text, strict=False, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        found = _from_python(text)
    if "\\ud" in text.lower() and not isinstance(found, str):  # half of an emoji is no text
        found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    return found


def _from_python(text: str) -> Any:
    try:
        found = ast.literal_eval(text)
        json.dumps(found, allow_nan=False)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text
    return found


def tools_of(value: Any) -> list[dict[str, Any]]:
    """A cell of tools, as a list or as text; [] for an empty one. Raises Dropped."""
    tools = from_json(value)
    if not tools:
        return []
    tools = [tools] if isinstance(tools, dict) else tools
    if not isinstance(tools, list):
        raise Dropped(BAD_TOOLS)
    return [_tool(tool) for tool in tools]


def _tool(tool: Any) -> dict[str, Any]:
    function = tool.get("function", tool) if isinstance(tool, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Dropped(BAD_TOOLS)
    named = {name: part for name, part in function.items() if name != "type"}
    defaults = {"name": "", "description": "", "parameters": {"type": "object", "properties": {}}}
    filled = {name: part for name, part in named.items() if part is not None}
    return {"type": "function", "function": defaults | filled}


def calls_of(value: Any) -> list[dict[str, Any]]:
    """One call or a list of them, as objects or as text. Raises Dropped."""
    calls = from_json(value)
    calls = [calls] if isinstance(calls, dict) else calls
    if not isinstance(calls, list) or not calls:
        raise Dropped(BAD_CALL)
    return [_call(from_json(call)) for call in calls]


def _call(call: Any) -> dict[str, Any]:
    function = from_json(call.get("function", call)) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Dropped(BAD_CALL)
    arguments = from_json(function.get("arguments", function.get("parameters"))) or {}
    if not isinstance(arguments, dict):
        raise Dropped(BAD_CALL)
    return {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
