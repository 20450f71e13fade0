"""A process of its own that matches names with an expression somebody wrote: some never end.

While `re` works nothing else of its process does, and neither a thread nor a timer stops it.
JSON on stdin, [expression, names]; on stdout {"found": names} or, for what is no expression,
{"error": why}. The system ends it where time or memory is spent.
Started by its path, so that it imports nothing of the project.
"""

import contextlib
import json
import re
import signal
import sys

_MOST_SECONDS = 0.5  # of a processor; 23,000 names of a mixture of experts take a hundredth
_MOST_MEMORY = 256 * 1024**2


def main() -> None:
    expression, names = json.load(sys.stdin)
    try:
        known = re.compile(expression)
    except (re.error, OverflowError, RecursionError) as error:
        answer = {"error": str(error)}
    else:
        answer = {"found": [name for name in names if known.fullmatch(name)]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
        signal.setitimer(signal.ITIMER_PROF, _MOST_SECONDS)
    main()
