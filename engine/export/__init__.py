"""What was trained leaves: merged, as GGUF, onto the Hub, as a zip; each checked before it goes."""
