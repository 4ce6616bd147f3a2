"""Subcommands of `cmsn` for calibration."""
