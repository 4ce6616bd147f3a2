"""Procedural camera streams with known actions: for training and for measurements without any download."""
