"""The worker that travels with a run: standard library only, Python 3.6, independent of any scheduler."""
