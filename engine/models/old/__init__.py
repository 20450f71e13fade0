"""Checkpoints in the layout of their own code of 2023, read into native classes."""
