"""What a study would ask of a site: shape, price, job script; nothing is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from packhorse.app.carrier import carrier_of
from packhorse.app.reach import reach
from packhorse.app.rendering import wave_script
from packhorse.app.siting import place_of, propose
from packhorse.app.source import Source
from packhorse.app.words import latest_words
from packhorse.model.errors import RunError
from packhorse.run.directory import RunDirectory
from packhorse.schedulers import scheduler


def proposed(source: Source, said: dict[str, Any], tasks: int, directory: Path | None) -> dict[str, Any]:
    """Return what would be submitted for so many tasks; raise RunError with every reason why it cannot be."""
    place = place_of(source, **said)
    run = RunDirectory((directory or source.folder / "runs" / source.study.name).absolute())
    fold = latest_words(run).fold if run.exists and run.latest() else None
    if tasks == 0:
        raise RunError("nothing is left to run", f"packhorse status {run.path}")
    found = propose(source.study, place, tasks, fold)
    dialect = scheduler(place.site.scheduler)
    script = wave_script(
        carrier_of(run, reach(place.site)), place, dialect, found.request(place, source.study), found.rungs[0]
    )
    return {
        "name": place.site.name,
        "sentence": found.sentence(),
        "shape": msgspec.to_builtins(found.shape),
        "rungs": msgspec.to_builtins(found.rungs),
        "cost": msgspec.to_builtins(found.cost),
        "notes": list(found.notes),
        "assumed": list(found.assumed),
        "script": script,
    }
