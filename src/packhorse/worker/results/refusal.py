"""The error of a result that is missing or refused."""


class NoResult(ValueError):
    """A command succeeded but its result is missing or cannot be read; the text says why and what to write."""
