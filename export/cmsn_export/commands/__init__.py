"""Subcommands that the export package adds to `cmsn`."""
