"""Whether this machine's ssh can share one login between programs; asked before anything that Windows does not have."""

from __future__ import annotations

from packhorse.model.errors import RunError


def check_sharing(system: str) -> None:
    """Refuse a platform whose ssh cannot share a connection: Windows' own, and those of Git and Cygwin there."""
    if system in ("win32", "cygwin", "msys"):
        raise RunError(
            "the ssh of Windows cannot share one login, so that every step would log in anew",
            "use WSL (wsl --install), and Packhorse inside it: everything works there, your files are in /mnt/c\n"
            "without WSL: log in with ssh, and use Packhorse on the login node itself, where it needs no connection",
        )
