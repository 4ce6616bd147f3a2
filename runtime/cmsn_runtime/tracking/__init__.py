"""From the proposals of each hop to actions that are followed."""
