"""What a study would ask of a site: shape, price, job script; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from packhorse.app.studies.plan import plan_study
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
    source: Source, said: dict[str, Any], directory: Path | None, where: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a study would run on a site and what it would ask for; raise RunError with every reason against it.

    A site that is reached over ssh is asked what tasks find there, where a login is open; nothing is built or sent.
    """
    place = place_of(source, **said)
    run = RunDirectory((directory or source.folder / "runs" / source.study.name).absolute())
    how = transport_for(place.site)
    with _arrived(source, place, run, how) as site:
        found = plan_study(source, directory, where, site.remote_environment if site else None)
        store = site.store if site else _store(source, place, run, how)
        found["site"] = _proposed(source, site.place if site else place, store, found["missing"])
        found["site"]["environment"] = list(site.remote_environment.said) if site else []
    if isinstance(how, SshTransport) and site is None:
        note = f"there is no login to {place.site.name} now, so its Python and folders are not known: packhorse connect"
        found["site"]["notes"].append(f"{note} {place.site.name}")
    return found


@contextmanager
def _arrived(
    source: Source, place: Place, run: RunDirectory, how: LocalTransport | SshTransport
) -> Iterator[OnSite | None]:
    if not isinstance(how, SshTransport) or not how.is_open():
        yield None
        return
    with how.open():
        yield arrive(source, place, run, how, Reporter(), build=False)


def _store(source: Source, place: Place, run: RunDirectory, how: LocalTransport | SshTransport) -> RunStore:
    """Return where the run is or would be; over ssh and without a login its place is told in the site's own words."""
    if isinstance(how, LocalTransport) or (run.path / "cluster.json").exists():
        return open_store(run, how)
    area = areas_of(place.site, place.asked.area)[0].path
    return RemoteRunStore(run, how, remote_folder(area, run, source.study.name), "python3")


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
