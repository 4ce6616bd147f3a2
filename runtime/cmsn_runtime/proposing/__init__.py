"""From stage probabilities to ranked spans of steps (paper, sections 3.2 and 3.3), one hop at a time."""
