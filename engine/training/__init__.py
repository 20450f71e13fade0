"""A run on disk, and the process that trains it."""
