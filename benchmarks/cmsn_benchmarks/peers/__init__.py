"""Other libraries and other schedules on the same frames and weights, in turns within one run."""
