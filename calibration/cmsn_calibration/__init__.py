"""INT8 variants of bundles: which layers can take it, in which ranges, and what it costs."""
