"""Follows actions through the proposals of each hop."""
