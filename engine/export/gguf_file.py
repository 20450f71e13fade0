"""A merged Llama, Qwen2 or Qwen3 written as one GGUF file, and read back by Transformers.

One tensor is in memory at a time. Matrices take the wanted precision; norms, biases and the table
of rotations stay in float32, as llama.cpp wants them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFReader, GGUFWriter, LlamaFileType, get_tensor_name_map
from gguf.constants import GGML_QUANT_VERSION, MODEL_ARCH_NAMES
from gguf.quants import quant_shape_to_byte_shape, quantize

from engine.errors import UserError
from engine.export.gguf_tokens import add_tokenizer
from engine.hardware import GIB, Device

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_BLOCK = 32  # weights that share a scale in q8_0
_KINDS = {"f16": Kind.F16, "bf16": Kind.BF16, "q8_0": Kind.Q8_0}
_FILE_TYPES = {
    "f16": LlamaFileType.MOSTLY_F16,
    "bf16": LlamaFileType.MOSTLY_BF16,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
}


@dataclass(frozen=True, slots=True)
class _Tensor:
    """One that will be written: its GGUF name, and where it lies now."""

    name: str
    key: str
    shard: Path
    shape: list[int]
    kind: Kind

    @property
    def bytes_shape(self) -> tuple[int, ...]:
        return quant_shape_to_byte_shape(tuple(self.shape), self.kind)

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.bytes_shape))


def write(
    merged: Path,
    file: Path,
    config: "PretrainedConfig",
    tokenizer: "PreTrainedTokenizerBase",
    quantization: str,
    name: str,
) -> Iterator[dict[str, Any]]:
    """Writes the safetensors in `merged` as `file` (f16, bf16 or q8_0). Yields {"doing": "writing",
    "gib", "of_gib"}. Raises UserError for what GGUF or the precision cannot hold."""
    tensors = _tensors(merged, config, quantization)
    factors = _rope_factors(config)
    writer = GGUFWriter(file, config.model_type)
    try:
        _add_shape(writer, config, quantization, name)
        add_tokenizer(writer, tokenizer, config.vocab_size)
        for one in tensors:
            writer.add_tensor_info(
                one.name, one.bytes_shape, np.uint8, one.nbytes, raw_dtype=one.kind
            )
        if factors is not None:
            writer.add_tensor_info("rope_freqs.weight", factors.shape, np.float32, factors.nbytes)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        total, done = sum(one.nbytes for one in tensors), 0
        for one in tensors:
            writer.write_tensor_data(_bytes_of(one, config))
            done += one.nbytes
            yield {"doing": "writing", "gib": done / GIB, "of_gib": total / GIB}
        if factors is not None:
            writer.write_tensor_data(factors)
    finally:
        writer.close()


def read(file: Path, config: "PretrainedConfig", device: Device) -> "PreTrainedModel":
    """The file as Transformers reads it, in float32 or what `device` computes in.

    Its reader leaves out Qwen3's head size, biases and Llama 3's rotations; the size comes from the
    file, the others from the model's own `config`.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    found = AutoConfig.from_pretrained(file.parent, gguf_file=file.name)
    size = GGUFReader(file).get_field(f"{config.model_type}.attention.key_length")
    found.head_dim = int(size.contents())
    if _is_stretched(config):
        found.rope_parameters = config.rope_parameters
    for bias in ("attention_bias", "mlp_bias"):
        if hasattr(config, bias):
            setattr(found, bias, getattr(config, bias))
    return AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        config=found,
        dtype=device.dtype,
        device_map={"": 0 if device.type == "cuda" else "cpu"},
    ).eval()


def _tensors(merged: Path, config: "PretrainedConfig", quantization: str) -> list[_Tensor]:
    from safetensors import safe_open

    arch = next(key for key, value in MODEL_ARCH_NAMES.items() if value == config.model_type)
    names = get_tensor_name_map(arch, config.num_hidden_layers)
    found = []
    for shard in sorted(merged.glob("*.safetensors")):
        with safe_open(shard, "pt") as opened:
            for key in opened.keys():  # noqa: SIM118 (not a dict)
                if key == "lm_head.weight" and config.tie_word_embeddings:
                    continue
                short, _, ending = key.rpartition(".")
                shape = opened.get_slice(key).get_shape()
                name = f"{names.get_name(short)}.{ending}"
                found.append(_Tensor(name, key, shard, shape, _kind(shape, quantization)))
    return found


def _kind(shape: list[int], quantization: str) -> Kind:
    if len(shape) == 1:
        return Kind.F32
    if quantization == "q8_0" and shape[-1] % _BLOCK:
        return Kind.F16
    return _KINDS[quantization]


def _bytes_of(one: _Tensor, config: "PretrainedConfig") -> np.ndarray:
    from safetensors import safe_open

    with safe_open(one.shard, "pt") as opened:
        array = opened.get_tensor(one.key).float().numpy()
    if config.model_type == "llama" and ".attn_q." in one.name:
        array = _permuted(array, config.num_attention_heads)
    elif config.model_type == "llama" and ".attn_k." in one.name:
        array = _permuted(array, config.num_key_value_heads)
    with np.errstate(over="ignore"):
        written = quantize(np.ascontiguousarray(array), one.kind)
    if one.kind == Kind.F16 and not np.isfinite(written).all():
        raise UserError(
            f"{one.key} holds weights that float16 cannot hold; choose bf16 or q8_0.",
            f"{one.key} 中有 float16 装不下的权重；请选 bf16 或 q8_0。",
            field="quantization",
        )
    return written


def _permuted(array: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp turns neighbouring values of a head where Transformers turns the two halves."""
    halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
    return halves.swapaxes(1, 2).reshape(array.shape)


def _is_stretched(config: "PretrainedConfig") -> bool:
    return config.rope_parameters.get("rope_type", "default") == "llama3"


def _rope_factors(config: "PretrainedConfig") -> np.ndarray | None:
    """By how much Llama 3 slows each rotation, [head size / 2]; None where it does not."""
    if not _is_stretched(config):
        return None
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    slowed, _ = ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    size = _head_size(config)
    plain = config.rope_parameters["rope_theta"] ** -(np.arange(0, size, 2) / size)
    return (plain / slowed.numpy()).astype(np.float32)


def _head_size(config: "PretrainedConfig") -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def _add_shape(
    writer: GGUFWriter, config: "PretrainedConfig", quantization: str, name: str
) -> None:
    size = _head_size(config)
    writer.add_name(name)
    writer.add_file_type(_FILE_TYPES[quantization])
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
