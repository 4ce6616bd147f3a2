"""Losses of the stage subnet."""
