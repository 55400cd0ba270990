"""The provenance of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from packhorse.rundir.directory import find_run


def provenance(where: Path, said: str | None) -> dict[str, Any]:
    """Return the provenance of a run, with its waves and checks."""
    run = find_run(where, said)
    file = run.path / "provenance.json"
    if not file.exists():
        raise run.no_wave_error()
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    found["waves"] = [
        {
            name: getattr(plan, name)
            for name in ("wave", "kind", "tasks", "code", "environment", "data", "unchecked", "created")
        }
        for plan in run.plans()
    ]
    checks = run.path / "checks.json"
    found["checks"] = list(msgspec.json.decode(checks.read_bytes()).values()) if checks.exists() else []
    return found
