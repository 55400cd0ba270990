"""What the last pilot of a study said, and whether it is stale."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from packhorse.model.plan import Identity
from packhorse.project.source import Source
from packhorse.text.amounts import counted, hours, span

FILE = "pilot.json"


def pilot_folder(source: Source) -> Path:
    """Return the run directory of the pilot of a study."""
    return source.folder / "runs" / f"{source.study.name}-pilot"


def pilot_notes(source: Source, space: str, identity: Identity, *, here: bool) -> Iterator[str]:
    """Yield what the pilot of a study said, or what has changed since; nothing where there is none.

    `space` is the digest of the parameter space, `identity` that of code, environment and data, as they are now. The
    environment of a site (not `here`) always differs from that of the pilot.
    """
    named = shlex.quote(source.path.name if source.path else "study.yaml")
    try:
        saved: dict[str, Any] = msgspec.json.decode((pilot_folder(source) / FILE).read_bytes())
        before = msgspec.convert(saved["identity"], Identity)
        day, was, tasks = str(saved["created"])[:10], str(saved["space"]), int(saved["tasks"])
        needs = (
            f"{span(float(saved['seconds']))} of computing, {hours(float(saved['core_hours']))} core-hours"
        )
    except FileNotFoundError:
        return
    except (OSError, msgspec.MsgspecError, KeyError, ValueError, TypeError):
        yield f"the pilot cannot be read; packhorse pilot {named} makes another"
        return
    changed = [
        name
        for name, old, new in (
            ("code", before.code, identity.code),
            ("environment", before.environment, identity.environment),
            ("data", before.data, identity.data),
            ("parameters", was, space),
        )
        if old != new and (here or name != "environment")
    ]
    if changed:
        yield f"the pilot of {day} is stale: {' and '.join(changed)} changed; packhorse pilot {named} makes another"
    else:
        yield f"the pilot of {day}: {counted(tasks, 'task')} take {needs}"
