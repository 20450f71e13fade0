"""New data out of old: other formats, a validation split, rows about oneself."""
