"""Why a file cannot be a dataset: the sentences that several kinds of file share."""

from engine.errors import UserError

MEGABYTE = 1024**2
MAX_BYTES = 200 * MEGABYTE
MAX_UNPACKED = 5 * MAX_BYTES  # a small archive can unpack to more than any disk holds


class NotFlat(Exception):
    """JSON nested deeper than any dataset, or a number of thousands of digits."""


def refusal(en: str, zh: str, remedy: str = "") -> UserError:
    return UserError(en, zh, field="dataset", remedy=remedy)


def no_rows(name: str) -> UserError:
    return refusal(
        f"{name} holds no rows; choose a file with at least one.",
        f"{name} 里没有数据行，请选择至少有一行的文件。",
    )


def not_flat(name: str) -> UserError:
    return refusal(
        f"{name} nests its brackets too deep, or holds a number of thousands of digits; "
        "a dataset is a list of flat rows.",
        f"{name} 的括号嵌套太深，或含有几千位的数字；数据集应是一列简单的行。",
    )


def unpacks_too_large(name: str) -> UserError:
    most = MAX_UNPACKED // MEGABYTE
    return refusal(
        f"{name} unpacks to more than {most} MB, which is more than can be read here. "
        "Split it, or take a part of its rows.",
        f"{name} 解压后超过 {most} MB，这里读不了这么多。请拆分，或只取一部分。",
    )
