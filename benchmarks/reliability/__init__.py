"""Attacks on a small run, and what came of them: right, refused, or wrong."""
