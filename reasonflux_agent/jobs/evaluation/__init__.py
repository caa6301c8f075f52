"""Benchmarks, methods, the runner and its report: whether templates help a model, on which problems, at which cost."""
