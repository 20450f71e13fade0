"""Who asks: on a Space many people share one page, and each sees the runs of their own only.

The page says how it knows its visitors; a process without a page, and a page that one person has to
themselves, know none and see everything.
"""

import hashlib
from collections.abc import Callable

from engine.errors import UserError


def _nobody() -> str | None:
    return None


_known_by = _nobody


def known_by(who: Callable[[], str | None]) -> None:
    """From now on `who()` gives a secret of the visitor in whose name the calling code runs, or
    None where nobody's."""
    global _known_by
    _known_by = who


def asking() -> str | None:
    """What can be written down of who asks, and not be turned back into their secret; None:
    nobody in particular."""
    secret = _known_by()
    return None if secret is None else hashlib.sha256(secret.encode()).hexdigest()[:32]


def may_see(owner: str | None) -> bool:
    """Whether what belongs to `owner` is shown to who asks."""
    return asking() in (None, owner)


def keep_order() -> None:
    """Raises UserError when the line of runs has others in it who might be passed by."""
    if asking() is not None:
        raise UserError(
            "This Space is shared: its runs begin one at a time, in the order in which they came. "
            "You may leave the line.",
            "这个 Space 由多人共用：训练按先来后到逐个进行，不能插队，但可以退出排队。",
        )
