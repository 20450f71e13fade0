"""A model's folder, looked at before anything of it is loaded: what is missing, what is unsafe."""

import json
from pathlib import Path

from engine.errors import UserError
from engine.models.sources.names import wrong

_BIN = "pytorch_model*.bin"


def check_folder(folder: Path) -> None:
    """Raises UserError (field "model_name_or_path") when config.json or the weights are missing."""
    if not (folder / "config.json").is_file():
        raise wrong(
            f"{folder} is a folder, but not a model's: it has no config.json. Choose the folder "
            "that holds config.json, the tokenizer and *.safetensors.",
            f"{folder} 不是模型文件夹：里面没有 config.json。"
            "请选择装有 config.json、分词器和 *.safetensors 的文件夹。",
        )
    try:
        if not isinstance(json.loads((folder / "config.json").read_text(encoding="utf-8")), dict):
            raise ValueError("no object")
    except ValueError as error:
        raise wrong(
            f"config.json in {folder} is broken ({error}); copy the model anew.",
            f"{folder} 里的 config.json 已损坏，请重新复制模型。",
        ) from error
    if not has_safetensors(folder) and not any(folder.glob(_BIN)):
        raise wrong(
            f"{folder} holds neither *.safetensors nor {_BIN}; weights in other formats are not "
            "read. Convert the model to safetensors.",
            f"{folder} 里既没有 *.safetensors 也没有 {_BIN}；其他格式的权重不予读取。"
            "请先转换为 safetensors。",
        )


def has_safetensors(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))


def refuse_programs(files: list[Path], field: str = "model_name_or_path") -> None:
    """Raises UserError (`field`) for a .bin that holds anything but weights, or is broken. What it
    may carry is not run (torch's weights_only), and no weight is kept."""
    import torch

    for file in files:
        try:
            torch.load(file, map_location="meta", weights_only=True)
        except Exception as error:  # whatever it is, the file cannot be read
            raise UserError(
                f"{file.name} in {file.parent} is broken or holds more than weights, so it is not "
                "read: it could carry programs. Take it in safetensors, or copy it anew.",
                f"{file.parent} 里的 {file.name} 已损坏，或不只含有权重，可能夹带程序，不予读取。"
                "请使用 safetensors 格式的，或重新复制。",
                field=field,
            ) from error


def bin_files(folder: Path) -> list[Path]:
    """The weights that are read where there are no safetensors."""
    return [] if has_safetensors(folder) else sorted(folder.glob(_BIN))
