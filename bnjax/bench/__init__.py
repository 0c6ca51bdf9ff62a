"""Benchmarks: side by side in one process, medians, ratios. Not tests."""

from bnjax.bench.suites import SUITES, backend

__all__ = ["SUITES", "backend"]
