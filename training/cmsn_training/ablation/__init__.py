"""Tables of trainings: rows over folds and seeds."""
