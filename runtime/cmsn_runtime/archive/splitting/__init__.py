"""One long video in parts, exactly: features side by side, then one pass over them."""
