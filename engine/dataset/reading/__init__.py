"""A file of any kind becomes a table of rows."""
