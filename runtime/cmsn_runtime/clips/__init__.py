"""Clips of what a live camera saw: packets are kept, cut and saved as they came, and replayed to the digit."""
