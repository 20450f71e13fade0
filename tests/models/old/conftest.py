"""Tiny old checkpoints, written once."""

import pytest

from tests.models.old import layouts


@pytest.fixture(scope="session")
def chatglm3_folder(tmp_path_factory):
    """ChatGLM3's layout, one file of safetensors, no vocabulary."""
    home = tmp_path_factory.mktemp("chatglm3")
    return layouts.write(home / "glm", layouts.CHATGLM3, layouts.chatglm3_weights())


@pytest.fixture(scope="session")
def qwen_folder(tmp_path_factory):
    """Qwen v1's layout with a vocabulary of bytes and a few merges."""
    home = tmp_path_factory.mktemp("qwen")
    return layouts.write_ranks(layouts.write(home / "qwen", layouts.QWEN, layouts.qwen_weights()))
