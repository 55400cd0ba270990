"""Reading the files that a study names, by the function that came with it."""

from __future__ import annotations

from collections.abc import Callable

from packhorse.text.node import refuse

Read = Callable[[str], bytes]


def fetch(read: Read, path: str, where: str) -> bytes:
    """Read a file that the study names; what cannot be read is the study's error."""
    try:
        return read(path)
    except FileNotFoundError:
        refuse(
            where, f"There is no file '{path}'.", "Paths are relative to the study file; correct the path."
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        refuse(
            where, f"The file '{path}' cannot be read: {reason}.", "Make it readable, or name another file."
        )
