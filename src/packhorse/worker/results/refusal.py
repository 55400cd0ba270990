"""The error of a result that is missing or refused."""

EMPTY = "it is empty: the script wrote nothing to it, or had not closed it when it ended"


class NoResult(ValueError):
    """A command succeeded but its result is missing or cannot be read; the text says why and what to write."""
