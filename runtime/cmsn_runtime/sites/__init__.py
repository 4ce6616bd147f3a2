"""Site files: which cameras, model, outputs and page `cmsn serve` runs, and running them."""
