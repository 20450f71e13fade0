"""Checkpoints of models that once came with code of their own, read into native classes."""
