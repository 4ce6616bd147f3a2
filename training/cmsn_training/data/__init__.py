"""Videos and annotations as the networks take them."""
