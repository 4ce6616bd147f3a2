"""Subcommands of `cmsn` that measure."""
