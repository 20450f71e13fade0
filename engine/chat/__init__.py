"""Base and adapter answering together."""
