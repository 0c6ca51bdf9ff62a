"""Benchmarks: side by side in one process, medians, ratios. Not tests."""

from benchmarks.suites import SUITES, backend

__all__ = ["SUITES", "backend"]
