"""Which old kind a model's folder holds, told from its config.json; and what of it is not known."""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from engine.errors import Sentence, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

_OFF, _ON = (None, False, 0), (None, True)  # None: not said
_PREFIX = Sentence(
    "it carries trained prompts of its own (P-tuning v2); take the model without them",
    "它自带训练过的前缀（P-tuning v2）；请使用不带前缀的模型",
)
_PACKED = Sentence(
    "its weights are packed by its own code; take the unquantised model and load it in 4-bit here",
    "它的权重由自带代码量化；请使用未量化的模型，在这里以 4 比特载入",
)
_OTHER = Sentence(
    "its layers are built otherwise; take the model as it was first published",
    "它的层结构不同；请使用最初发布的模型",
)
_SEES = Sentence(
    "it also sees or hears, which is not read here; take the text model",
    "它还处理图像或声音，这里无法读取；请使用纯文本模型",
)
# What the mapping takes; ChatGLM-6B's own port says it in its native_config.
_KNOWN: dict[str, dict[str, tuple[tuple, Sentence]]] = {
    "chatglm3": {
        "pre_seq_len": (_OFF, _PREFIX),
        "quantization_bit": (_OFF, _PACKED),
        "multi_query_attention": ((True,), _OTHER),
        "rmsnorm": (_ON, _OTHER),
        "post_layer_norm": (_ON, _OTHER),
        "original_rope": (_ON, _OTHER),
        "add_bias_linear": (_OFF, _OTHER),
        "apply_residual_connection_post_layernorm": (_OFF, _OTHER),
        "fp32_residual_connection": (_OFF, _OTHER),
        "tie_word_embeddings": (_OFF, _OTHER),
        "vision_config": ((None,), _SEES),
    },
    "qwen": {
        "quantization_config": ((None,), _PACKED),
        "no_bias": (_ON, _OTHER),
        "scale_attn_weights": (_ON, _OTHER),
        "rotary_pct": ((None, 1.0), _OTHER),
        "pos_emb": ((None, "rotary"), _OTHER),
        "activation": ((None, "swiglu"), _OTHER),
        "apply_residual_connection_post_layernorm": (_OFF, _OTHER),
        "tie_word_embeddings": (_OFF, _OTHER),
        "visual": ((None,), _SEES),
        "audio": ((None,), _SEES),
    },
}
_COPY = Sentence("it is not whole; copy the model anew", "内容不完整，请重新复制模型")
_SAVED_PORT = "chatglm_6b"  # what ChatGLM-6B's port is called once it was saved here
_GLM4_VOCABULARY = 151552
_NTK = Sentence(
    "Past {length:,} tokens the original Qwen stretches its positions and attention (dynamic NTK, "
    "logn) when it answers; here it reads as in training, so keep conversations within that.",
    "超过 {length:,} 个 token 时，原版 Qwen 在回答时会拉伸位置与注意力（动态 NTK、logn）；"
    "这里与训练时一致，请让对话保持在这个长度以内。",
)


@dataclass(frozen=True, slots=True)
class Old:
    """A folder in an old layout: `kind` is chatglm (ChatGLM-6B), chatglm3 (ChatGLM2 and 3) or qwen
    (Qwen v1); `config` its config.json."""

    kind: str
    folder: Path
    config: dict[str, Any]

    def native_config(self) -> "PreTrainedConfig":
        """Raises UserError when config.json lacks what the model is built from. The Auto classes
        know the model from then on."""
        self.model_class()  # by its import
        try:
            return self._room.native_config(self.config)
        except KeyError as error:
            raise _refusal(f"no {error.args[0]}", _COPY) from error

    def model_class(self) -> type["PreTrainedModel"]:
        """What loads the folder."""
        return self._room.model_class()

    def load_tokenizer(self) -> "PreTrainedTokenizerFast":
        return self._room.load_tokenizer(self.folder, self.config)

    @property
    def _room(self) -> ModuleType:
        return importlib.import_module(f"engine.models.old.{self.kind}")

    @property
    def note(self) -> Sentence | None:
        """Where the original would do otherwise."""
        stretches = self.config.get("use_dynamic_ntk") or self.config.get("use_logn_attn")
        if self.kind != "qwen" or not stretches:
            return None
        return Sentence(*(one.format(length=self.config["seq_length"]) for one in _NTK))


def recognise(place: str) -> Old | None:
    """The old checkpoint in this folder; None for one of today's layout, and for no folder.

    Raises UserError (field "model_name_or_path") for an old one that the mapping does not know.
    """
    config = config_of(place)
    kind = kind_of(config)
    if kind is None:
        return None
    refuse_unknown(kind, config)
    return Old(kind, Path(place), config)


def know_saved_port(place: str) -> None:
    """Tells Transformers' Auto classes of ChatGLM-6B's port where a saved copy of it lies here."""
    config = config_of(place)
    if config.get("model_type") == _SAVED_PORT:
        Old("chatglm", Path(place), config).model_class()  # they know it by its import


def config_of(folder: str | Path) -> dict[str, Any]:
    """Its config.json, {} where there is none."""
    file = Path(folder) / "config.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def kind_of(config: dict[str, Any]) -> str | None:
    """chatglm, chatglm3 or qwen; None for a config.json of today's layout."""
    if config.get("model_type") == "qwen":
        return "qwen"
    if config.get("model_type") != "chatglm":
        return None
    return "chatglm" if "inner_hidden_size" in config else "chatglm3"


def refuse_unknown(kind: str, config: dict[str, Any]) -> None:
    """Raises UserError naming the key of config.json that the mapping does not know."""
    for key, (known, why) in _KNOWN.get(kind, {}).items():
        if config.get(key) not in known:
            raise _refusal(f"{key} = {config.get(key)!r:.60}", why)
    if kind != "chatglm3":
        return
    if config.get("padded_vocab_size") == _GLM4_VOCABULARY:
        raise _refusal(
            f"padded_vocab_size = {_GLM4_VOCABULARY}",
            Sentence(
                "that is GLM-4; take it in today's layout, zai-org/glm-4-9b-chat-hf",
                "这是 GLM-4；请使用新格式的 zai-org/glm-4-9b-chat-hf",
            ),
        )
    if config.get("rope_ratio", 1) != 1 and "chatglm2" in str(config.get("_name_or_path")).lower():
        raise _refusal(
            f"rope_ratio = {config['rope_ratio']}",
            Sentence(
                "ChatGLM2-32k squeezes its positions by it; take ChatGLM2-6B or ChatGLM3-6B-32k",
                "ChatGLM2-32k 用它压缩位置；请使用 ChatGLM2-6B 或 ChatGLM3-6B-32k",
            ),
        )


def _refusal(found: str, why: Sentence) -> UserError:
    return UserError(
        f"The model's config.json has {found}: {why.en}.",
        f"模型的 config.json 中 {found}：{why.zh}。",
        field="model_name_or_path",
    )
