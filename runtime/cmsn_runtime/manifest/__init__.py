"""manifest.json: everything a bundle says about itself, as it is in memory, read and written."""
