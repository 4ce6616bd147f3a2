"""Where frames and feature rows come from."""
