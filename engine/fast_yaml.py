"""YAML as plain values, read in C where PyYAML brings it: eight to twenty times as fast.

Its dumper in C writes no emoji in block style.
"""

from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_DEEPEST = 500  # some 25,000 end the process


def read(text: str) -> Any:
    """Raises yaml.YAMLError, ValueError or RecursionError for what cannot be read."""
    _refuse_depth(text)
    return LOADER(text).get_single_data()


def _refuse_depth(text: str) -> None:
    """Values are composed by recursion in C, which no exception ends; events are not."""
    if sum(text.count(sign) for sign in "[{-?:") <= _DEEPEST:  # each level takes one of them
        return
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise yaml.YAMLError("nested too deep")


def keys(text: str) -> list[str]:
    """Of the outermost mapping of what can be read, as often as they stand there; `read` knows the
    last value of a key alone."""
    node = LOADER(text).get_single_node()
    if not isinstance(node, yaml.MappingNode):
        return []
    return [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
