"""Data sets made ready for training and measuring."""
