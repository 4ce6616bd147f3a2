"""Compiled loops over arrays: numba compiles each once per machine, and later runs load its machine code without it."""
