"""An answer that all of a user's processes share, with the time it was asked: one question serves them all."""

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
        """Return (when it was asked, the answer); ask anew when the answer is older than `oldest` seconds.

        An `ask` that returns None has no answer; that is kept too, so that nobody asks again at once.
        """
        found = self._read(oldest)
        if found is None:
            with exclusive_lock(self.path.with_suffix(".lock"), LOCK_SECONDS):
                found = self._read(oldest)  # another process may have asked while we waited
                if found is None:
                    answer = ask()
                    found = time.time(), answer
                    write_file(self.path, msgspec.json.encode({"asked": found[0], "answer": answer}))
        return found

    def fresh(self, oldest: float) -> bool:
        """Tell whether an answer is there that is not older than so many seconds."""
        return self._read(oldest) is not None

    def forget(self) -> None:
        """Drop the answer, since something was done that changes it."""
        self.path.unlink(missing_ok=True)

    def _read(self, oldest: float) -> tuple[float, Any] | None:
        try:
            said = msgspec.json.decode(self.path.read_bytes())
            asked = float(said["asked"])
            # A clock that was set back must not make an old answer the newest for ever.
            return (asked, said["answer"]) if 0 <= time.time() - asked <= oldest else None
        except (OSError, ValueError, KeyError, TypeError, msgspec.MsgspecError):
            return None
