"""Measurements, and the reference versions they compare against."""
