"""Rows become conversations: what their columns and turns mean."""
