"""Plan a study on a site: its jobs, their cost, the job script. Nothing is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from packhorse.app.studies.plan import SitePlan, StudyPlan, plan_study
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
    source: Source, options: dict[str, Any], directory: Path | None, conditions: Sequence[str] = ()
) -> StudyPlan:
    """Return what a study would run on a site and request of it; raise RunError with every limit that it exceeds.

    Over SSH the interpreters and folders there are probed, where a connection is open; nothing is built or submitted.
    """
    place = place_of(source, **options)
    run = RunDirectory((directory or source.folder / "runs" / source.study.name).absolute())
    transport = transport_for(place.site)
    name = place.site.name
    if not transport.is_open():
        setup = unreached_site(source, place, run, transport)
        plan = _plan(source, setup, directory, conditions)
        note = f"not connected to {name}, so its Python and folders are not known"
        assert plan.site
        return replace(plan, site=replace(plan.site, notes=(*plan.site.notes, note), connected=False))
    with transport.open():
        setup = set_up_site(source, place, run, transport, Reporter(), build=False)
        return _plan(source, setup, directory, conditions)


def _plan(source: Source, setup: SiteSetup, directory: Path | None, conditions: Sequence[str]) -> StudyPlan:
    plan = plan_study(source, directory, conditions, setup.target.environment(source))
    on_site = _site_plan(source, setup.place, setup.store, plan.missing)
    return replace(plan, site=replace(on_site, environment=tuple(setup.environment)))


def _site_plan(source: Source, place: Place, store: RunStore, tasks: int) -> SitePlan:
    """Return the request for so many tasks."""
    run = store.run
    fold = latest_outcomes(run).fold if run.exists and run.latest() else None
    if tasks == 0:
        raise RunError("no task is left to run", f"packhorse status {run.argument}")
    proposal = propose(source.study, place, tasks, fold)
    dialect = scheduler(place.site.scheduler)
    request = proposal.request(place, source.study)
    return SitePlan(
        name=place.site.name,
        folder=store.remote_folder,
        sentence=proposal.sentence(),
        jobs=proposal.jobs(),
        shape=proposal.shape,
        rungs=proposal.rungs,
        cost=proposal.cost,
        notes=tuple(proposal.notes),
        assumed=tuple(proposal.assumed),
        script=wave_script(store, place, dialect, request, proposal.rungs[0]),
    )
