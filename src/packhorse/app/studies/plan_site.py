"""Plan a study on a site: its jobs, their cost, the job script. Nothing is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from packhorse.app.studies.plan import SitePlan, StudyPlan, plan_study
from packhorse.cluster.job_scripts import wave_script
from packhorse.execution.run_model import OnSite
from packhorse.execution.site_setup import arrive
from packhorse.model.errors import RunError
from packhorse.project.placement import Place, place_of, propose
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.open_store import open_store
from packhorse.remote.remote_store import RemoteRunStore, remote_folder
from packhorse.remote.run_store import RunStore
from packhorse.remote.storage_area import areas_of
from packhorse.remote.transport import LocalTransport, SshTransport, transport_for
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.directory import RunDirectory
from packhorse.schedulers import scheduler


def plan_on_site(
    source: Source, options: dict[str, Any], directory: Path | None, conditions: Sequence[str] = ()
) -> StudyPlan:
    """Return what a study would run on a site and request of it; raise RunError with every limit that it exceeds.

    Over SSH the interpreters and folders there are probed, where a connection is open; nothing is built or uploaded.
    """
    place = place_of(source, **options)
    run = RunDirectory((directory or source.folder / "runs" / source.study.name).absolute())
    transport = transport_for(place.site)
    with _site_setup(source, place, run, transport) as setup:
        plan = plan_study(source, directory, conditions, setup.remote_environment if setup else None)
        store = setup.store if setup else _store(source, place, run, transport)
        on_site = _site_plan(source, setup.place if setup else place, store, plan.missing)
    if setup:
        on_site = replace(on_site, environment=tuple(setup.remote_environment.said))
    elif isinstance(transport, SshTransport):
        name = place.site.name
        note = f"not connected to {name}, so its Python and folders are not known: packhorse connect {name}"
        on_site = replace(on_site, notes=(*on_site.notes, note))
    return replace(plan, site=on_site)


@contextmanager
def _site_setup(
    source: Source, place: Place, run: RunDirectory, transport: LocalTransport | SshTransport
) -> Iterator[OnSite | None]:
    """Probe a site over SSH; yield None where no connection is open."""
    if not isinstance(transport, SshTransport) or not transport.is_open():
        yield None
        return
    with transport.open():
        yield arrive(source, place, run, transport, Reporter(), build=False)


def _store(
    source: Source, place: Place, run: RunDirectory, transport: LocalTransport | SshTransport
) -> RunStore:
    """Return the store that the run has or would have; without a connection its path is as the site's file spells it."""
    if isinstance(transport, LocalTransport) or (run.path / "cluster.json").exists():
        return open_store(run, transport)
    area = areas_of(place.site, place.asked.area)[0].path
    return RemoteRunStore(run, transport, remote_folder(area, run, source.study.name), "python3")


def _site_plan(source: Source, place: Place, store: RunStore, tasks: int) -> SitePlan:
    """Return the request for so many tasks."""
    run = store.run
    fold = latest_outcomes(run).fold if run.exists and run.latest() else None
    if tasks == 0:
        raise RunError("no task is left to run", f"packhorse status {run.path}")
    proposal = propose(source.study, place, tasks, fold)
    dialect = scheduler(place.site.scheduler)
    request = proposal.request(place, source.study)
    return SitePlan(
        name=place.site.name,
        folder=store.remote_folder,
        sentence=proposal.sentence(),
        shape=proposal.shape,
        rungs=proposal.rungs,
        cost=proposal.cost,
        notes=tuple(proposal.notes),
        assumed=tuple(proposal.assumed),
        script=wave_script(store, place, dialect, request, proposal.rungs[0]),
    )
