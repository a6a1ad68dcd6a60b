"""One file a format; `registry.py` decides which of them reads a dump."""
