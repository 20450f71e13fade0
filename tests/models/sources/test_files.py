"""What is fetched of a repository, by its files' names; and when a folder has all its weights."""

import json

import pytest

from engine.models.sources.files import File, has_small, small, weights, weights_in
from engine.models.sources.names import source_of


def names(files):
    return [one.name for one in files]


def listed(*names):
    return [File(name, 1) for name in names]


def test_config_tokenizer_and_templates_are_small():
    files = listed(
        *("config.json", "tokenizer.model", "qwen.tiktoken", "chat_template.jinja", "merges.txt"),
        *("model.safetensors", "modeling_chatglm.py", "README.md", "original/params.json"),
        *("model.gguf", "training_args.bin", "optimizer.pth", ".gitattributes"),
    )
    assert names(small(files)) == [
        *("config.json", "tokenizer.model", "qwen.tiktoken", "chat_template.jinja", "merges.txt"),
    ]


@pytest.mark.parametrize(
    ("held", "fetched"),
    [
        (["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]),
        (
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
            + ["consolidated.safetensors", "pytorch_model-00001-of-00001.bin"],
            ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"],
        ),
        (["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"], ["pytorch_model.bin"]),
        (
            ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"],
            ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"],
        ),
        (["onnx/model.safetensors", "original/consolidated.00.pth", "training_args.bin"], []),
    ],
)
def test_weights_are_fetched_in_one_format(held, fetched):
    assert names(weights(listed(*held))) == fetched


def test_a_folder_has_its_weights_when_all_parts_of_its_index_are_there(tmp_path):
    assert weights_in(tmp_path) == []
    parts = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = {"weight_map": {"a": parts[0], "b": parts[1], "c": parts[1]}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / parts[0]).touch()
    assert weights_in(tmp_path) == []
    (tmp_path / parts[1]).touch()
    assert weights_in(tmp_path) == [tmp_path / one for one in parts]
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": 3')
    assert weights_in(tmp_path) == []
    (tmp_path / "pytorch_model.bin").touch()
    assert weights_in(tmp_path) == [tmp_path / "pytorch_model.bin"]


@pytest.mark.parametrize("vocabulary", ["tokenizer.json", "vocab.txt", "ice_text.model"])
def test_a_config_without_a_vocabulary_is_not_enough(tmp_path, vocabulary):
    (tmp_path / "config.json").touch()
    assert not has_small(tmp_path)
    (tmp_path / vocabulary).touch()
    assert has_small(tmp_path)


@pytest.mark.parametrize(
    ("name", "host", "id"),
    [
        ("Qwen/Qwen3-0.6B", "hub", "Qwen/Qwen3-0.6B"),
        ("gpt2", "hub", "gpt2"),
        ("modelscope:ZhipuAI/chatglm3-6b", "modelscope", "ZhipuAI/chatglm3-6b"),
    ],
)
def test_what_a_name_means(name, host, id):
    assert source_of(name) == (host, id, name)
