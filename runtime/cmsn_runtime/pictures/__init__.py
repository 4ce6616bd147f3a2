"""Pictures: upright RGB, fitted to what a model takes."""
