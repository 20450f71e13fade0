"""From a file to packed rows of tokens with a mask."""
