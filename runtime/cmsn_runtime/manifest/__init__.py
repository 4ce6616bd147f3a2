"""manifest.json: everything a bundle declares about itself, in memory, read and written."""
