"""Many problems: evaluations and batches."""
