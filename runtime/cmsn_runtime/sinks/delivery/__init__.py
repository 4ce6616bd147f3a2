"""What outputs over a network share: events wait on the disk until their receiver has acknowledged them."""
