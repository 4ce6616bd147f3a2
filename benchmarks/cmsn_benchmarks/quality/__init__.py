"""How well a bundle finds actions."""
