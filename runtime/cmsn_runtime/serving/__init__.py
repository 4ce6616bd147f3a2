"""What people and monitors see of running cameras: a web page, metrics and health."""
