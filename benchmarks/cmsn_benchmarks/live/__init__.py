"""Live cameras: how many fit, what outages cost, whether clips replay, and whether anything grows."""
