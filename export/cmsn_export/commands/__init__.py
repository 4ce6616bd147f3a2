"""Subcommands the export package adds to `cmsn`."""
