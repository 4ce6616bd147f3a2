"""Options of `cmsn run`, a file for each group: a frozen dataclass, and the decorator that fills it."""
