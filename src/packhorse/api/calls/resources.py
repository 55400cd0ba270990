"""The resources of one call, as they are said in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def study_resources(*given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return resources as a study names them, where `cores` are `cpus`; of equal names the last one counts."""
    pairs = [pair for one in given for pair in (one or {}).items()]
    return {"cpus" if name == "cores" else name: value for name, value in pairs}


def resources_of(function: object) -> Mapping[str, Any]:
    """Return the resources that `packhorse.task(cores=4)` gave to a function."""
    found: Mapping[str, Any] = getattr(function, "packhorse_resources", None) or {}
    return found
