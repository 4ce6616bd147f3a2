"""Subcommands that the training package adds to `cmsn`."""
