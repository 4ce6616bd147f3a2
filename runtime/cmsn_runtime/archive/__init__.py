"""Many videos into one folder of results, on any number of machines."""
