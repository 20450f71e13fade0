"""The commands of `python -m engine`, one to a file: `add` declares its flags, `run` does it."""
