"""INT8 calibration (arrives with the engines)."""
