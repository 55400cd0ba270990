"""Plan a study on a site: shape, cost and job script; nothing is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from packhorse.app.studies.plan import plan_study
from packhorse.cluster.job_scripts import wave_script
from packhorse.execution.site_setup import SiteSetup, set_up_site, unreached_site
from packhorse.model.errors import RunError
from packhorse.project.placement import Place, place_of, propose
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.run_store import RunStore
from packhorse.remote.transport import transport_for
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.directory import RunDirectory
from packhorse.schedulers import scheduler


def plan_on_site(
    source: Source, options: dict[str, Any], directory: Path | None, where: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a study would run on a site and what it would ask for; nothing is built or submitted.

    A site reached over ssh is asked what tasks find there where a login is open. Raises RunError with every
    reason against the plan.
    """
    place = place_of(source, **options)
    run = RunDirectory((directory or source.folder / "runs" / source.study.name).absolute())
    transport = transport_for(place.site)
    if not transport.is_open():
        setup = unreached_site(source, place, run, transport)
        plan = _plan(source, setup, directory, where)
        plan["site"]["notes"].append(
            f"No login to {place.site.name} is open, so its Python and folders are unknown;"
            f" to log in: packhorse connect {place.site.name}"
        )
        return plan
    with transport.open():
        setup = set_up_site(source, place, run, transport, Reporter(), build=False)
        return _plan(source, setup, directory, where)


def _plan(source: Source, setup: SiteSetup, directory: Path | None, where: Sequence[str]) -> dict[str, Any]:
    plan = plan_study(source, directory, where, setup.target.environment(source))
    plan["site"] = _proposed(source, setup.place, setup.store, plan["missing"])
    plan["site"]["environment"] = list(setup.environment)
    return plan


def _proposed(source: Source, place: Place, store: RunStore, tasks: int) -> dict[str, Any]:
    """Return what would be submitted for so many tasks."""
    run = store.run
    fold = latest_outcomes(run).fold if run.exists and run.latest() else None
    if tasks == 0:
        raise RunError("nothing is left to run", f"packhorse status {run.path}")
    found = propose(source.study, place, tasks, fold)
    dialect = scheduler(place.site.scheduler)
    script = wave_script(store, place, dialect, found.request(place, source.study), found.rungs[0])
    return {
        "name": place.site.name,
        "folder": store.remote_folder,
        "sentence": found.sentence(),
        "shape": msgspec.to_builtins(found.shape),
        "rungs": msgspec.to_builtins(found.rungs),
        "cost": msgspec.to_builtins(found.cost),
        "notes": list(found.notes),
        "assumed": list(found.assumed),
        "script": script,
    }
