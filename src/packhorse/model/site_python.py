"""A Python of a site."""

from __future__ import annotations

from msgspec import Struct


class SitePython(Struct, frozen=True, kw_only=True):
    """A Python of a site, as it describes itself to the remote agent."""

    python: str  # its path
    version: str
    implementation: str
    machine: str
    libc: str = ""  # name and version, such as "glibc 2.28"; "" or the name alone where it is not known
    venv: bool  # whether it can make virtual environments that have pip
    called: str  # the path by which it was found
