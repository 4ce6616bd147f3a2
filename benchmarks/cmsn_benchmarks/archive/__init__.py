"""What an archive costs beside its networks."""
