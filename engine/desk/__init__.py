"""The desk: the page asks, a warm process of its own reads, tokenises and estimates."""
