"""Plain reference versions of what is measured."""
