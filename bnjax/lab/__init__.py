"""The laboratory: trains networks, records them and judges claims."""
