"""Benchmarks: side by side in one process, medians, ratios. Not tests."""
