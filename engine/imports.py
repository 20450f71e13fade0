"""Heavy imports: what they make is no garbage, and what they note is for nobody here."""

import contextlib
import gc
import logging
import warnings
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


def without_their_notes() -> None:
    """What libraries tell those who build on them is not for those who train."""
    warnings.simplefilter("ignore", FutureWarning)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
