"""Use cases about sites: choose, probe, modules, shell, put, get."""
