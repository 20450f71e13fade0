"""Heavy imports: what they make is no garbage, and is not looked at while they go on or later."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Collects nothing meanwhile, and passes over all that is there by its end: the million objects
    of torch and Transformers, which a full collection takes a fifth of a second to walk."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
