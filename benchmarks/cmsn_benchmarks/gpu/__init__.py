"""Measurements on a GPU: `python -m cmsn_benchmarks.gpu`."""
