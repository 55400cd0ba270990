"""Load the study of an existing run."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec.structs import replace

from packhorse.model.study import Study
from packhorse.project.source import Source, from_file, from_study
from packhorse.rundir.directory import RunDirectory


def source_of(run: RunDirectory, site: str | None = None) -> Source:
    """Return the study of a run: its file where that still exists, else the study of the newest plan."""
    about = run.about()
    if about.study and Path(about.study).exists():
        return from_file(about.study, site)
    plan = run.latest()
    if plan is None:
        raise run.no_wave_error()
    study = msgspec.json.decode((run.path / "study.json").read_bytes(), type=Study)
    study = replace(study, factors=run.space(plan.space).factors)
    provenance = msgspec.json.decode((run.path / "provenance.json").read_bytes())
    text = (run.path / "study.yaml").read_text(encoding="utf-8")
    return from_study(study, text, Path(provenance["folder"]), provenance.get("sources", ()))
