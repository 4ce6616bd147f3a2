"""Many live cameras on one model, unattended."""
