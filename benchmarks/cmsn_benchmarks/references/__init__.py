"""Plain versions of what is measured, to hold it against."""
