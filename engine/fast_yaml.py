"""YAML as plain values, read in C where PyYAML brings it: eight to twenty times as fast.

Its dumper in C writes no emoji in block style.
"""

from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> Any:
    """Raises yaml.YAMLError, ValueError or RecursionError for what cannot be read."""
    return LOADER(text).get_single_data()


def keys(text: str) -> list[str]:
    """Of the outermost mapping of what can be read, as often as they stand there; `read` knows the
    last value of a key alone."""
    node = LOADER(text).get_single_node()
    if not isinstance(node, yaml.MappingNode):
        return []
    return [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
