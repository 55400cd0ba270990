"""A cached reply that all processes of a user share, so that one query serves them all."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from packhorse.rundir.files import write_file
from packhorse.rundir.lock import exclusive_lock

LOCK_SECONDS = 90.0  # longer than a scheduler's client may take


class SharedReply:
    """One file, mode 600, in the user's private cache: `{"asked": Unix seconds, "answer": ...}`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, oldest: float, ask: Callable[[], Any]) -> tuple[float, Any]:
        """Return (Unix time of the query, reply); call `ask` when the reply is older than `oldest` seconds.

        A reply of None means that the query failed. It is cached too, so that the next process does not repeat
        the query at once.
        """
        cached = self._read(oldest)
        if cached is None:
            with exclusive_lock(self.path.with_suffix(".lock"), LOCK_SECONDS):
                cached = self._read(oldest)  # another process may have queried while we waited
                if cached is None:
                    reply = ask()
                    cached = time.time(), reply
                    write_file(self.path, msgspec.json.encode({"asked": cached[0], "answer": reply}))
        return cached

    def fresh(self, oldest: float) -> bool:
        """Return whether there is a reply that is at most `oldest` seconds old."""
        return self._read(oldest) is not None

    def forget(self) -> None:
        """Remove the reply, after an action that makes it wrong."""
        self.path.unlink(missing_ok=True)

    def _read(self, oldest: float) -> tuple[float, Any] | None:
        try:
            content = msgspec.json.decode(self.path.read_bytes())
            asked = float(content["asked"])
            # A clock that was set back must not make an old reply the newest for ever.
            return (asked, content["answer"]) if 0 <= time.time() - asked <= oldest else None
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError):
            return None
