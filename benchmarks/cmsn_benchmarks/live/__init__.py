"""Live cameras: how many fit, what outages cost, and whether anything grows."""
