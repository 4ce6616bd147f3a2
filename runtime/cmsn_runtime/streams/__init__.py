"""One camera or one stream of feature rows: its state from frame to frame."""
