"""Use cases that start, stop or remove runs."""
