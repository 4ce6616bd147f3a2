"""Videos and annotations in the form the networks expect."""
