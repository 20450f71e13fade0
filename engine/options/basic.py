"""The options that stand open in the form: what is trained on what, and how much."""

from dataclasses import dataclass
from functools import partial

from engine.options import declare
from engine.options.adapter import WITH_RANK
from engine.places import SPROUT

option = partial(declare.option, group="basic")


@dataclass(kw_only=True)
class Basic:
    dataset: str = option(
        "",
        ("Dataset", "数据集"),
        ("a sample, an uploaded file or a path", "示例、上传的文件或本机路径"),
    )
    model_name_or_path: str = option(
        SPROUT,
        ("Base model", "基础模型"),
        (
            "sprout, a folder, a Hub id or modelscope:owner/name",
            "sprout、本机文件夹、Hub 上的名字，或 modelscope:所有者/名字",
        ),
        elsewhere=("base_model", "model", "model_id"),
    )
    load_in_4bit: bool = option(
        False,
        ("4-bit base (QLoRA)", "4 比特底座（QLoRA）"),
        ("the frozen base takes a quarter of the memory", "冻结的底座只占四分之一的显存"),
        elsewhere=("quantization_bit",),
    )
    system_prompt: str = option(
        "",
        ("System prompt", "系统提示词"),
        (
            "stands before every row that has none of its own",
            "加在每条自己没有系统提示词的数据之前",
        ),
        lines=3,
    )
    num_train_epochs: float = option(
        3.0,
        ("Epochs", "训练轮数"),
        ("how often every row is seen", "每条数据看几遍"),
        low=0.01,
        high=1000,
        elsewhere=("epochs",),
    )
    learning_rate: float = option(
        2e-4,
        ("Learning rate", "学习率"),
        ("how big each step is", "每一步走多大"),
        low=1e-8,
        high=1.0,
        elsewhere=("lr",),
    )
    max_length: int = option(
        1024,
        ("Longest row, tokens", "最长一条（token）"),
        ("what is longer is cut at its end", "超出的部分从末尾截掉"),
        low=8,
        high=131072,
        elsewhere=("cutoff_len", "sequence_len"),
    )
    lora_r: int = option(
        16,
        ("Rank", "秩"),
        ("how much room the adapter has", "适配器的容量"),
        low=1,
        high=1024,
        only_for=("peft_type", WITH_RANK),
        elsewhere=("rank",),
    )
    per_device_train_batch_size: int = option(
        4,
        ("Batch, rows at once", "批大小（同时几行）"),
        ("more is smoother and takes more memory", "越大越平稳，也越占显存"),
        low=1,
        high=4096,
        elsewhere=("batch_size", "micro_batch_size", "train_batch_size"),
    )
