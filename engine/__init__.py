"""Everything the page can do, without a page."""
