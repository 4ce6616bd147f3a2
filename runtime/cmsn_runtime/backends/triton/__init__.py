"""Triton Inference Server: the networks of many cameras on one machine with a GPU, over the network."""
