"""The three networks of the paper: extractor (C3D), stage subnet (ASS), proposal evaluation subnet (PES)."""
