"""Training: pure steps, scanned, with all seeds vectorized in one program."""
