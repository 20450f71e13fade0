"""Rows of every shape, each with the name of its shape, its mapping and its conversation."""

import json

from engine.dataset.meaning.formats import Conversations, to_conversations
from engine.dataset.reading.read import Table
from engine.dataset.reading.store import Stored


def table(rows):
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return Table(Stored(rows), columns, "json", "UTF-8")


def read(rows, **choice) -> Conversations:
    return to_conversations(table(rows), **choice)


def turns(*contents, system=None):
    head = [{"role": "system", "content": system}] if system else []
    roles = ("user", "assistant") * len(contents)
    return {
        "messages": head
        + [{"role": role, "content": text} for role, text in zip(roles, contents, strict=False)]
    }


def reasoned(thought):
    one = turns("a", "b")
    one["messages"][1]["reasoning_content"] = thought
    return one


def unlearned_then_learned():
    one = turns("a", "b", "c", "d")
    one["messages"][1]["weight"] = 0
    return one


def sharegpt(*contents):
    roles = ("human", "gpt") * len(contents)
    return [{"from": role, "value": text} for role, text in zip(roles, contents, strict=False)]


FIND = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Finds.",
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}},
    },
}
CALL = {"type": "function", "function": {"name": "find", "arguments": {"what": "cat"}}}
CALLED = {
    "messages": [
        {"role": "user", "content": "Where?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": '{"at": 3}'},
        {"role": "assistant", "content": "At 3."},
    ],
    "tools": [FIND],
}
ALPACA = {"instruction": "user", "input": "input", "output": "assistant"}
MESSAGES = {"messages": "messages"}
TALKS = {"conversations": "messages"}

SHAPES = [
    # messages
    (turns("a", "b"), "messages", MESSAGES, turns("a", "b")),
    (
        {"messages": [{"role": "Developer", "content": "s"}, {"role": "human", "content": "a"},
                      {"role": "model", "content": " b "}]},
        "messages", MESSAGES, turns("a", "b", system="s"),
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "a "},
                                                   {"type": "text", "text": "c"}]},
                      {"role": "assistant", "content": "b"}]},
        "messages", MESSAGES, turns("a c", "b"),
    ),
    ({"messages": json.dumps(turns("a", "b")["messages"])}, "messages", MESSAGES, turns("a", "b")),
    ({"messages": str(turns("a", "it's")["messages"])}, "messages", MESSAGES, turns("a", "it's")),
    (
        {"messages": [
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": "1", "type": "function",
                 "function": {"name": "find", "arguments": '{"what": "cat"}'}}]},
            {"role": "tool", "tool_call_id": "1", "content": {"at": 3}},
            {"role": "assistant", "content": "At 3."}],
         "tools": [FIND["function"]]},
        "messages", MESSAGES | {"tools": "tools"}, CALLED,
    ),
    (
        {"messages": [*CALLED["messages"][:3], *CALLED["messages"][2:]], "tools": None},
        "messages", MESSAGES | {"tools": "tools"},
        {"messages": [*CALLED["messages"][:3], *CALLED["messages"][2:]]},
    ),
    (
        {"messages": [{"role": "user", "content": "a"},
                      {"role": "assistant", "reasoning_content": " r\n", "content": "b"}]},
        "messages", MESSAGES, reasoned("r"),
    ),
    (
        {"messages": [{"role": "user", "content": "a"},
                      {"role": "assistant", "content": "b", "weight": 0},
                      {"role": "user", "content": "c"},
                      {"role": "assistant", "content": "d", "weight": 1}]},
        "messages", MESSAGES, unlearned_then_learned(),
    ),
    # ShareGPT
    (
        {"conversations": [{"from": "human", "value": "a", "thinking": "no"},
                           {"from": "gpt", "value": "b", "reasoning": None, "thinking": "r"}]},
        "sharegpt", TALKS, reasoned("r"),
    ),
    ({"conversations": [{"role": "user", "content": "a"},
                        {"role": "assistant", "content": "b", "thinking": True}]},
     "sharegpt", TALKS, turns("a", "b")),
    (
        {"conversations": sharegpt("a", "b", "c", "d"), "system": "s"},
        "sharegpt", TALKS | {"system": "system"}, turns("a", "b", "c", "d", system="s"),
    ),
    ({"conversations": turns("a", "b")["messages"]}, "sharegpt", TALKS, turns("a", "b")),
    ({"conversation": sharegpt("a", "b")}, "sharegpt", {"conversation": "messages"},
     turns("a", "b")),
    (
        {"conversations": [{"from": "human", "value": "Where?"},
                           {"from": "function_call",
                            "value": '{"name": "find", "arguments": {"what": "cat"}}'},
                           {"from": "observation", "value": '{"at": 3}'},
                           {"from": "gpt", "value": "At 3."}],
         "tools": json.dumps([FIND["function"]])},
        "sharegpt", TALKS | {"tools": "tools"}, CALLED,
    ),
    (
        {"conversations": [{"from": "human", "value": "Where?"},
                           {"from": "function_call", "value": '{"name": "find", "arguments": {}}'},
                           {"from": "function_call", "value": '{"name": "ask", "arguments": {}}'},
                           {"from": "observation", "value": "3"},
                           {"from": "observation", "value": "4"},
                           {"from": "gpt", "value": "At 3."}]},
        "sharegpt", TALKS,
        {"messages": [{"role": "user", "content": "Where?"},
                      {"role": "assistant", "content": "", "tool_calls": [
                          {"type": "function", "function": {"name": "find", "arguments": {}}},
                          {"type": "function", "function": {"name": "ask", "arguments": {}}}]},
                      {"role": "tool", "content": "3"}, {"role": "tool", "content": "4"},
                      {"role": "assistant", "content": "At 3."}]},
    ),
    # lines that name nobody, or in marks
    ({"dialogue": ["a ", "b", "c", "d"]}, "unnamed", {"dialogue": "messages"},
     turns("a", "b", "c", "d")),
    ({"conversation": ["User: a", "Assistant: b"]}, "marked", {"conversation": "messages"},
     turns("a", "b")),
    # turns that hold a question and its answer
    (
        {"conversation": [{"system": "s", "input": "a", "output": "b"},
                          {"input": "c", "output": "d"}]},
        "xtuner", {"conversation": "messages"}, turns("a", "b", "c", "d", system="s"),
    ),
    (
        {"conversation": [{"human": "a", "assistant": "b"}, {"human": "c", "assistant": "d"}],
         "category": "x"},
        "firefly", {"conversation": "messages"}, turns("a", "b", "c", "d"),
    ),
    # Alpaca
    ({"instruction": "a", "input": "b", "output": "c"}, "alpaca", ALPACA, turns("a\nb", "c")),
    ({"instruction": "a", "input": "", "output": "c", "text": "x"}, "alpaca", ALPACA,
     turns("a", "c")),
    (
        {"instruction": "e", "input": None, "response": "f", "system": "s",
         "history": [["a", "b"], ["c", "d"]]},
        "alpaca",
        {"system": "system", "history": "history", "instruction": "user", "input": "input",
         "response": "assistant"},
        turns("a", "b", "c", "d", "e", "f", system="s"),
    ),
    ({"instruction": "c", "output": "d", "history": '[["a", "b"]]'}, "alpaca",
     {"instruction": "user", "output": "assistant", "history": "history"},
     turns("a", "b", "c", "d")),
    ({"instruction": "a", "article": "b", "summary": "c"}, "alpaca",
     {"instruction": "user", "article": "input", "summary": "assistant"}, turns("a\nb", "c")),
    ({"指令": "a", "输入": "b", "输出": "c"}, "alpaca",
     {"指令": "user", "输入": "input", "输出": "assistant"}, turns("a\nb", "c")),
    ({"instruction": "a", "context": "b", "response": "c"}, "alpaca",
     {"instruction": "user", "context": "input", "response": "assistant"}, turns("a\nb", "c")),
    ({"instruction": "a", "output": "", "response": "c"}, "alpaca",
     {"instruction": "user", "output": "assistant", "response": "assistant"}, turns("a", "c")),
    ({"instruction": "a", "output": "b", "response": "c"}, "alpaca",
     {"instruction": "user", "output": "assistant", "response": "assistant"}, turns("a", "b")),
    # a question and an answer
    ({"Prompt": "a", " Completion ": 7}, "pairs", {"Prompt": "user", " Completion ": "assistant"},
     turns("a", "7")),
    ({"context": "Instruction: a\nInput: b\nAnswer: ", "target": "c"}, "pairs",
     {"context": "user", "target": "assistant"}, turns("a\nb", "c")),
    ({"context": "a", "target": "b", "system": "s"}, "pairs",
     {"system": "system", "context": "user", "target": "assistant"}, turns("a", "b", system="s")),
    ({"question": "a", "context": "b", "answer": "c"}, "pairs",
     {"question": "user", "context": "input", "answer": "assistant"}, turns("a\nb", "c")),
    ({"instruction": "a", "question": "b", "answer": "c"}, "alpaca",
     {"instruction": "user", "question": "input", "answer": "assistant"}, turns("a\nb", "c")),
    ({"prompt": "a", "question": "b", "answer": "c"}, "pairs",
     {"prompt": "user", "answer": "assistant"}, turns("a", "c")),
    ({"id": 1, "title": "t", "ask": "a", "answer": "b"}, "pairs",
     {"ask": "user", "answer": "assistant"}, turns("a", "b")),
    ({"questionTitle": "t", "questionText": "a", "answerText": "b"}, "pairs",
     {"questionText": "user", "answerText": "assistant"}, turns("a", "b")),
    ({"title": "t", "ask": " ", "answer": "b"}, "pairs", {"ask": "user", "answer": "assistant"},
     turns("t", "b")),
    (
        {"prompt": turns("a", "b", "c")["messages"],
         "completion": [{"role": "assistant", "content": "d"}]},
        "pairs", {"prompt": "user", "completion": "assistant"}, turns("a", "b", "c", "d"),
    ),
    ({"content": "类型#裙", "summary": "好裙子"}, "pairs",
     {"content": "user", "summary": "assistant"}, turns("类型#裙", "好裙子")),
    ({"source": "a", "target": "b"}, "pairs", {"source": "user", "target": "assistant"},
     turns("a", "b")),
    ({"用户问题": "a", "模型回答": "b"}, "pairs", {"用户问题": "user", "模型回答": "assistant"},
     turns("a", "b")),
    ({"問題描述": "a", "答案內容": "b"}, "pairs", {"問題描述": "user", "答案內容": "assistant"},
     turns("a", "b")),
    ({"prompt": "a", "response": ["b"]}, "pairs", {"prompt": "user", "response": "assistant"},
     turns("a", "b")),
    ({"prompt": "a", "output": ["b", "c"], "rank": 1}, "pairs",
     {"prompt": "user", "output": "assistant"}, turns("a", "b")),
    ({"prompt": "a", "output": ["b", "c"], "rank": [2, 1]}, "pairs",
     {"prompt": "user", "output": "assistant"}, turns("a", "c")),
    ({"prompt": "a", "output": ["b", "c", "d"], "scores": [0.1, 0.7, 0.2]}, "pairs",
     {"prompt": "user", "output": "assistant"}, turns("a", "c")),
    # preferences and labels
    ({"prompt": "a", "chosen": "b", "rejected": "c"}, "preference",
     {"prompt": "user", "chosen": "assistant"}, turns("a", "b")),
    (
        {"conversations": sharegpt("a"), "chosen": {"from": "gpt", "value": "b"},
         "rejected": {"from": "gpt", "value": "c"}},
        "preference", TALKS | {"chosen": "assistant"}, turns("a", "b"),
    ),
    (
        {"prompt": "a", "chosen": turns("a", "b")["messages"],
         "rejected": turns("a", "c")["messages"]},
        "preference", {"prompt": "user", "chosen": "assistant"}, turns("a", "b"),
    ),
    (
        {"prompt": turns("a")["messages"], "chosen": [{"role": "assistant", "content": "b"}],
         "rejected": []},
        "preference", {"prompt": "user", "chosen": "assistant"}, turns("a", "b"),
    ),
    ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"},
     "preference", {"chosen": "messages"}, turns("a", "b")),
    (
        {"input": {"messages": turns("a")["messages"], "tools": [FIND]},
         "preferred_output": [{"role": "assistant", "content": "b"}],
         "non_preferred_output": [{"role": "assistant", "content": "c"}]},
        "preference", {"input": "user", "preferred_output": "assistant"},
        turns("a", "b") | {"tools": [FIND]},
    ),
    ({"query": "a", "pos": ["b"], "neg": ["c"]}, "preference",
     {"query": "user", "pos": "assistant"}, turns("a", "b")),
    ({"问题": "a", "接受": "b", "拒绝": "c"}, "preference", {"问题": "user", "接受": "assistant"},
     turns("a", "b")),
    (turns("a", "b") | {"label": True}, "labelled", MESSAGES, turns("a", "b")),
    ({"prompt": "a", "completion": "b", "label": "True"}, "labelled",
     {"prompt": "user", "completion": "assistant"}, turns("a", "b")),
    ({"prompt": "a", "completion": "b", "label": 1}, "labelled",
     {"prompt": "user", "completion": "assistant"}, turns("a", "b")),
    ({"conversations": sharegpt("a", "b"), "kto_tag": "1"}, "labelled", TALKS, turns("a", "b")),
    ({"prompt": "a", "completion": "b", "label": 2}, "pairs",
     {"prompt": "user", "completion": "assistant"}, turns("a", "b")),
    # text
    ({"text": " a\n"}, "text", {"text": "text"}, {"text": " a\n"}),
    ({"text": "### Human: a### Assistant: b\n### Human: c### Assistant: d"}, "marked",
     {"text": "messages"}, turns("a", "b", "c", "d")),
    (
        {"text": "Below is a task.\n\n### Instruction:\na\n\n### Input:\nb\n\n### Response:\nc"},
        "marked", {"text": "messages"}, turns("a\nb", "c", system="Below is a task."),
    ),
    ({"text": "### User\na\n### Assistant\nb"}, "marked", {"text": "messages"}, turns("a", "b")),
    ({"text": "User: a\nmore\nAssistant: b"}, "marked", {"text": "messages"},
     turns("a\nmore", "b")),
    ({"text": "Q: a\nmore\nA: b"}, "marked", {"text": "messages"}, turns("a\nmore", "b")),
    ({"text": "<human>: a\n<bot>: b"}, "marked", {"text": "messages"}, turns("a", "b")),
    (
        {"text": "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n"
                 "<|im_start|>assistant\nb<|im_end|>\n<|endoftext|>"},
        "marked", {"text": "messages"}, turns("a", "b", system="s"),
    ),
    (
        {"text": "<s>[INST] <<SYS>>\ns\n<</SYS>>\n\na [/INST] b </s><s>[INST] c [/INST] d </s>"},
        "marked", {"text": "messages"}, turns("a", "b", "c", "d", system="s"),
    ),
    ({"text": "<|system|>\ns</s>\n<|user|>\na<|end|>\n<|assistant|>\nb<|end|>\n"}, "marked",
     {"text": "messages"}, turns("a", "b", system="s")),
    (
        {"text": "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\na<|eot_id|>"
                 "<|start_header_id|>assistant<|end_header_id|>\n\nb<|eot_id|>"},
        "marked", {"text": "messages"}, turns("a", "b"),
    ),
    (
        {"text": "<bos><start_of_turn>user\na<end_of_turn>\n<start_of_turn>model\nb<end_of_turn>"},
        "marked", {"text": "messages"}, turns("a", "b"),
    ),
    ({"text": "ChatML:\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>"}, "text",
     {"text": "text"},
     {"text": "ChatML:\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>"}),
    ({"text": "He wrote:\nUser: a\nAssistant: b"}, "text", {"text": "text"},
     {"text": "He wrote:\nUser: a\nAssistant: b"}),
]  # fmt: skip
