"""Procedural camera streams with known actions: pixels to learn from and to be measured on, without any download."""
