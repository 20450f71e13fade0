"""The one definition of every option.

Form, YAML, flags, API names, README table and checks all come from here.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_type_hints

import yaml

from engine.errors import Sentence, UserError
from engine.options import coerce, field_names, option, out_of_range, unknown_option
from engine.places import DATA_DIR, SPROUT

GROUPS = {
    "basic": Sentence("Plain", "常用"),
    "adapter": Sentence("Adapter", "适配器"),
    "data": Sentence("Data", "数据"),
    "schedule": Sentence("Schedule and optimiser", "训练进程与优化器"),
    "memory": Sentence("Memory and precision", "显存与精度"),
    "saving": Sentence("Logging and saving", "记录与保存"),
}


@dataclass(kw_only=True, slots=True)
class TrainConfig:
    """What a training run is made of. Names as in Transformers, PEFT and TRL."""

    dataset: str = option(
        "",
        ("Dataset", "数据集"),
        ("a sample, an uploaded file or a path", "示例、上传的文件或本机路径"),
        "basic",
    )
    model_name_or_path: str = option(
        SPROUT,
        ("Base model", "基础模型"),
        ("sprout, a folder or a Hub id", "sprout、本机文件夹或 Hub 上的名字"),
        "basic",
    )
    load_in_4bit: bool = option(
        False,
        ("4-bit base (QLoRA)", "4 比特底座（QLoRA）"),
        ("the frozen base takes a quarter of the memory", "冻结的底座只占四分之一的显存"),
        "basic",
    )
    system_prompt: str = option(
        "",
        ("System prompt", "系统提示词"),
        (
            "stands before every row that has none of its own",
            "加在每条自己没有系统提示词的数据之前",
        ),
        "basic",
        lines=3,
    )
    num_train_epochs: float = option(
        3.0,
        ("Epochs", "训练轮数"),
        ("how often every row is seen", "每条数据看几遍"),
        "basic",
        low=0.01,
        high=1000,
    )
    learning_rate: float = option(
        2e-4,
        ("Learning rate", "学习率"),
        ("how big each step is", "每一步走多大"),
        "basic",
        low=1e-8,
        high=1.0,
    )
    max_length: int = option(
        1024,
        ("Longest row, tokens", "最长一条（token）"),
        ("what is longer is cut at its end", "超出的部分从末尾截掉"),
        "basic",
        low=8,
        high=131072,
    )
    lora_r: int = option(
        16,
        ("Rank", "秩"),
        ("how much room the adapter has", "适配器的容量"),
        "basic",
        low=1,
        high=1024,
    )
    per_device_train_batch_size: int = option(
        4,
        ("Batch, rows at once", "批大小（同时几行）"),
        ("more is smoother and takes more memory", "越大越平稳，也越占显存"),
        "basic",
        low=1,
        high=4096,
    )
    lora_alpha: int = option(
        32,
        ("Alpha", "Alpha"),
        ("the adapter counts alpha / rank times", "适配器的作用乘以 alpha / 秩"),
        "adapter",
        low=1,
        high=4096,
    )
    lora_dropout: float = option(
        0.0,
        ("Dropout", "Dropout"),
        ("share of the adapter's input left out at random", "随机丢弃适配器输入的比例"),
        "adapter",
        low=0.0,
        high=0.9,
    )
    lora_target_modules: str = option(
        "all-linear",
        ("Target modules", "作用的模块"),
        ("all-linear, or names with commas between", "all-linear，或用逗号隔开的模块名"),
        "adapter",
    )
    loss_on: Literal["answers", "last_answer", "everything"] = option(
        "answers",
        ("Learn", "学习哪些部分"),
        (
            "all answers, only the last one, or every token",
            "所有回答、只学最后一个回答，或全部 token",
        ),
        "data",
    )
    packing: bool = option(
        True,
        ("Packing", "打包"),
        (
            "short rows share one sequence and do not see each other",
            "短的几条拼进同一序列，彼此看不见",
        ),
        "data",
    )
    mapping: str = option(
        "",
        ("Columns", "列的用途"),
        (
            "question=user, answer=assistant; empty: found by itself",
            "如 question=user, answer=assistant；留空则自动识别",
        ),
        "data",
    )
    speaker: str = option(
        "",
        ("Speaker", "说话人"),
        (
            "in a script, whose lines are learned; empty: who speaks most",
            "剧本中学谁的台词；留空则为台词最多的人",
        ),
        "data",
    )
    eval_size: float = option(
        0.1,
        ("Kept for validation", "留作验证"),
        (
            "below 1 a share of the rows, from 1 on a number of rows; never trained on",
            "小于 1 为占全部数据的比例，1 以上为条数；不参与训练",
        ),
        "data",
        low=0.0,
        high=1_000_000,
    )
    eval_dataset: str = option(
        "",
        ("Validation file", "验证数据"),
        (
            "a dataset of its own for validation; empty: rows of the training data",
            "另用一份数据来验证；留空则从训练数据里留出",
        ),
        "data",
    )
    sample_prompts: str = option(
        "",
        ("Fixed questions", "固定提问"),
        (
            "one a line; answered at every evaluation, so you hear it change",
            "每行一个；每次评估时回答，听它怎样变化",
        ),
        "data",
        lines=3,
    )
    max_steps: int = option(
        0,
        ("Most steps", "最多步数"),
        ("0: the epochs decide", "0 表示由轮数决定"),
        "schedule",
        low=0,
        high=10_000_000,
    )
    gradient_accumulation_steps: int = option(
        1,
        ("Accumulation", "梯度累积"),
        ("batches added up before each step", "每走一步前累加几个批"),
        "schedule",
        low=1,
        high=4096,
    )
    lr_scheduler_type: Literal["cosine", "linear", "constant", "constant_with_warmup"] = option(
        "cosine",
        ("Schedule", "学习率曲线"),
        ("how the learning rate falls", "学习率怎样下降"),
        "schedule",
    )
    warmup_steps: float = option(
        0.03,
        ("Warm-up", "预热"),
        ("steps, or below 1 a share of all steps", "步数；小于 1 时为占总步数的比例"),
        "schedule",
        low=0.0,
        high=100_000,
    )
    optim: Literal["adamw_torch_fused", "adamw_torch", "adafactor", "paged_adamw_8bit"] = option(
        "adamw_torch_fused",
        ("Optimiser", "优化器"),
        ("paged_adamw_8bit needs a GPU", "paged_adamw_8bit 需要显卡"),
        "schedule",
    )
    weight_decay: float = option(
        0.0,
        ("Weight decay", "权重衰减"),
        ("pulls weights towards zero", "把权重往零拉"),
        "schedule",
        low=0.0,
        high=1.0,
    )
    max_grad_norm: float = option(
        1.0,
        ("Gradient clipping", "梯度裁剪"),
        ("longest gradient allowed; 0 turns it off", "梯度范数上限；0 为不裁剪"),
        "schedule",
        low=0.0,
        high=1000.0,
    )
    seed: int = option(
        42,
        ("Seed", "随机种子"),
        ("the same seed gives the same run", "种子相同，结果相同"),
        "schedule",
        low=0,
        high=2**31 - 1,
    )
    load_in_8bit: bool = option(
        False,
        ("8-bit base", "8 比特底座"),
        ("the frozen base takes half of the memory", "冻结的底座只占一半显存"),
        "memory",
    )
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = option(
        "nf4",
        ("4-bit type", "4 比特类型"),
        ("nf4 suits trained weights best", "nf4 最适合训练好的权重"),
        "memory",
    )
    bnb_4bit_use_double_quant: bool = option(
        True,
        ("Double quantisation", "双重量化"),
        ("saves about 0.4 bit a weight more", "每个权重再省约 0.4 比特"),
        "memory",
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = option(
        "auto",
        ("Precision", "精度"),
        ("auto takes what this machine does well", "auto 按本机所长选择"),
        "memory",
    )
    gradient_checkpointing: bool = option(
        False,
        ("Checkpointing", "激活重算"),
        ("less memory, about a third slower", "省显存，大约慢三分之一"),
        "memory",
    )
    logging_steps: int = option(
        1,
        ("Log every", "每几步记录"),
        ("steps between two points of the curve", "曲线上两点之间的步数"),
        "saving",
        low=1,
        high=100_000,
    )
    eval_steps: int = option(
        0,
        ("Evaluate every", "每几步评估"),
        ("steps; 0: about eight times in a run", "步数；0 表示全程约八次"),
        "saving",
        low=0,
        high=1_000_000,
    )
    save_steps: int = option(
        0,
        ("Save every", "每几步保存"),
        ("steps; 0: about four times in a run", "步数；0 表示全程约四次"),
        "saving",
        low=0,
        high=1_000_000,
    )
    save_total_limit: int = option(
        2,
        ("Checkpoints kept", "保留几个检查点"),
        ("older ones are removed", "更早的会删除"),
        "saving",
        low=1,
        high=1000,
    )

    def problems(self) -> dict[str, Sentence]:
        """What cannot work, by field: ranges, choices, and combinations. Empty when all is well."""
        found = {}
        for one in dataclasses.fields(self):
            wrong = out_of_range(one, getattr(self, one.name))
            if wrong:
                found[one.name] = wrong
        if self.load_in_4bit and self.load_in_8bit:
            found["load_in_8bit"] = Sentence(
                "The base cannot be 4-bit and 8-bit at once; switch one of the two off.",
                "底座不能同时是 4 比特和 8 比特，请关掉其中一个。",
            )
        return found

    def changed(self, than: "TrainConfig") -> list[str]:
        """Names of the fields that differ from another configuration."""
        return [n for n in field_names(TrainConfig) if getattr(self, n) != getattr(than, n)]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def to_yaml(self) -> str:
        text = yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True)
        if yaml.safe_load(text) != self.to_dict():  # PyYAML loses some rare line breaks
            return yaml.safe_dump(self.to_dict(), sort_keys=False)
        return text

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrainConfig":
        """Coerces each value to its field's type. Raises UserError, with the field."""
        kinds = get_type_hints(cls)
        for name in values:
            if name not in kinds:
                raise unknown_option(name, kinds)
        return cls(**{name: coerce(name, value, kinds[name]) for name, value in values.items()})

    @classmethod
    def from_yaml(cls, path: Path) -> "TrainConfig":
        """Raises UserError for a file that is missing, no YAML mapping, or of unknown options."""
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{path} cannot be read ({type(error).__name__}); give the path of a YAML file.",
                f"无法读取 {path}，请给出一个 YAML 文件的路径。",
            ) from error
        except yaml.YAMLError as error:
            raise UserError(
                f"{path} is not valid YAML: {error}".replace("\n", " "),
                f"{path} 不是有效的 YAML，请检查格式。",
            ) from error
        if not isinstance(values, dict):
            raise UserError(
                f"{path} holds no options; write lines such as 'learning_rate: 2e-4'.",
                f"{path} 里没有选项，请写成“learning_rate: 2e-4”这样的行。",
            )
        return cls.from_dict(values)


def default_config(model_name_or_path: str = SPROUT) -> TrainConfig:
    """The form's first values for a base: sprout has its recipe in data/, others the defaults."""
    if model_name_or_path == SPROUT:
        return TrainConfig.from_yaml(DATA_DIR / "recipes" / "sprout.yaml")
    return TrainConfig(model_name_or_path=model_name_or_path)
