"""Commands that start, stop or remove runs."""
