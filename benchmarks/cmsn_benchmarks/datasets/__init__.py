"""Prepares data sets for training and measuring."""
