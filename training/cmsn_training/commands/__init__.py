"""Subcommands the training package adds to `cmsn`."""
