"""Frozen networks that people own as the extractor of pictures (section 5.1)."""
