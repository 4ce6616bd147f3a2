"""Training of the extractor, the stage and the evaluation subnets."""
