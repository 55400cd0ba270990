"""Read the files that a study names, by a function that the caller provides."""

from __future__ import annotations

from collections.abc import Callable

from packhorse.text.node import refuse

Read = Callable[[str], bytes]


def read_file(read: Read, path: str, where: str) -> bytes:
    """Return the content of a file; raise StudyError at `where` if it cannot be read."""
    try:
        return read(path)
    except FileNotFoundError:
        hint = "Paths are relative to the study file; correct the path."
        refuse(where, f"There is no file '{path}'.", hint)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "Make it readable, or name another file."
        refuse(where, f"The file '{path}' cannot be read: {reason}.", hint)
