"""The exit status of a job's script, as shells and servers count it: what it ended with, or the signal that ended it."""

from __future__ import annotations

from packhorse.model.job import EndCause

SHELL, SERVER = 128, 256  # added to a signal's number
LAST_SIGNAL = 64
TERMINATED = SERVER + 15  # what a server that deletes a job sends first


def own_end(code: int) -> tuple[EndCause, int | None, int | None]:
    """Return how a script ended by itself, its exit status, and the signal that ended it."""
    if code <= 0:
        return ("failed", None, None) if code else ("done", 0, None)
    for base in (SERVER, SHELL):
        if base < code <= base + LAST_SIGNAL:
            return "failed", None, code - base
    return "failed", code, None
