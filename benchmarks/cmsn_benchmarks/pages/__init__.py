"""The page of measurements, docs/benchmarks.md, made from the files in benchmarks/results and from nothing else."""
