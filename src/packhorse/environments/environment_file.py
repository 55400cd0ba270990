"""The file that a complete environment on a site has: what it was built from, and the packages that it got."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from packhorse.record.software import PythonSoftware


class BuiltFrom(Struct, frozen=True, kw_only=True):
    """What an environment is built from: the digest and file name of its lock, the Python and the machine."""

    lock: str = ""
    file: str = ""
    python: str = ""  # version
    implementation: str = ""
    machine: str = ""


class EnvironmentFile(Struct, frozen=True, kw_only=True):
    """The content of `packhorse-environment.json` that later commands use; `built` is in Unix seconds."""

    about: BuiltFrom = BuiltFrom()
    found: PythonSoftware
    built: float = 0.0


def read_environment_file(content: dict[str, Any] | None) -> EnvironmentFile | None:
    """Return the content of an environment's file; None where there is none, or it is not one that Packhorse wrote."""
    try:
        return None if content is None else msgspec.convert(content, EnvironmentFile)
    except msgspec.ValidationError:
        return None
