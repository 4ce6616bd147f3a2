"""Events to a web server, signed."""
