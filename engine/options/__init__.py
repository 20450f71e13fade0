"""The options: how one is declared, and all of them, a file a group of the form."""
