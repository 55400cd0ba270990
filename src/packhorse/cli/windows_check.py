"""Refuse platforms whose ssh cannot share a connection."""

from __future__ import annotations

import sys

from packhorse.model.errors import RunError


def refuse_windows() -> None:
    """Raise RunError on Windows, and in Git's and Cygwin's shells there."""
    if sys.platform in ("win32", "cygwin", "msys"):
        raise RunError(
            "the ssh of Windows cannot share a connection, so every step would need a login",
            "use WSL (wsl --install), and Packhorse inside it; your files are in /mnt/c\n"
            "without WSL: log in with ssh, and use Packhorse on the login node, where it needs no connection",
        )
