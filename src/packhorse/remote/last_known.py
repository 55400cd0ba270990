"""The state of a run as it was last downloaded, for commands that only look, where its site cannot be reached now."""

from __future__ import annotations

import time
from collections.abc import Callable

from packhorse.model.errors import Unreachable
from packhorse.remote.run_store import RunStore
from packhorse.rundir.directory import RunDirectory

KNOWN = "far.json"  # touched by every download


def known_since(run: RunDirectory) -> float | None:
    """Return when a run was last downloaded from its site, in Unix seconds; None where it never was."""
    try:
        return (run.path / KNOWN).stat().st_mtime
    except OSError:
        return None


def fetch_or_note(store: RunStore, fetch: Callable[[], object]) -> str:
    """Call a function that downloads; where the site cannot be reached, return a sentence on what is known instead.

    Raises Unreachable where nothing was downloaded before.
    """
    try:
        fetch()
    except Unreachable as error:
        return last_known_sentence(store, error)
    return ""


def last_known_sentence(store: RunStore, error: Unreachable) -> str:
    """Return the sentence that tells of a state that may be old; raise the error where there is none."""
    since = known_since(store.run)
    if since is None:
        raise error
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(since))
    return f"{store.remote_site} cannot be reached ({error.message}); this is the state of {moment}. {error.hint}"
