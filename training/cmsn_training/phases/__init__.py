"""The two training phases of the paper, in its order: extractor with ASS, then PES (sections 3.4 and 5.1)."""
