"""From stage probabilities to ranked proposals (paper, sections 3.2 and 3.3), compiled by numba.

Everything here lives in feature steps relative to the window; a span is given by its first and last cell, both included.
Compiled code is cached on disk beside these files or, where that place cannot be written, in the user's cache folder, so
that only the first process on a machine pays for the compilation.
"""
