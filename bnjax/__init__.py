"""Batch Normalization in JAX: pure functions to import into any JAX code."""

__version__ = "0.1.0"
