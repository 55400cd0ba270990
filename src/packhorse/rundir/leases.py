"""The leases of a wave that is over: one file in place of many, and whoever comes late finds nothing to take."""

from __future__ import annotations

from pathlib import Path

import msgspec

from packhorse.rundir.files import write_file


def close_leases(folder: Path, positions: int) -> None:
    """Say that all positions of a wave are taken, and remove every other lease."""
    names = sorted((path for path in folder.glob("*.json")), reverse=True)
    if not names:
        return
    first = folder / "000000.json"
    write_file(first, msgspec.json.encode({"start": positions, "stop": positions, "by": "over"}))
    for path in names:
        if path != first:
            path.unlink(missing_ok=True)
