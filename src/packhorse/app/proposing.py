"""What a study would ask of a site: shape, price, job script; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from packhorse.app.arriving import OnSite, areas_of, arrive
from packhorse.app.carrier import Carrier, carrier_of
from packhorse.app.mirror import FarCarrier, far_folder
from packhorse.app.reach import Here, There, reach
from packhorse.app.rendering import wave_script
from packhorse.app.siting import Place, place_of, propose
from packhorse.app.source import Source
from packhorse.app.watch import Watcher
from packhorse.app.words import latest_words
from packhorse.app.writing import plan_study
from packhorse.model.errors import RunError
from packhorse.run.directory import RunDirectory
from packhorse.schedulers import scheduler


def plan_on_site(
    source: Source, said: dict[str, Any], directory: Path | None, where: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a study would run on a site and what it would ask for; raise RunError with every reason against it.

    A site that is reached over ssh is asked what tasks find there, where a login is open; nothing is built or sent.
    """
    place = place_of(source, **said)
    run = RunDirectory((directory or source.folder / "runs" / source.study.name).absolute())
    how = reach(place.site)
    with _arrived(source, place, run, how) as site:
        found = plan_study(source, directory, where, site.abroad if site else None)
        carrier = site.carrier if site else _carrier(source, place, run, how)
        found["site"] = _proposed(source, site.place if site else place, carrier, found["missing"])
        found["site"]["environment"] = list(site.abroad.said) if site else []
    if isinstance(how, There) and site is None:
        note = f"there is no login to {place.site.name} now, so its Python and folders are not known: packhorse connect"
        found["site"]["notes"].append(f"{note} {place.site.name}")
    return found


@contextmanager
def _arrived(source: Source, place: Place, run: RunDirectory, how: Here | There) -> Iterator[OnSite | None]:
    if not isinstance(how, There) or not how.login.alive():
        yield None
        return
    with how.open():
        yield arrive(source, place, run, how, Watcher(), build=False)


def _carrier(source: Source, place: Place, run: RunDirectory, how: Here | There) -> Carrier:
    """Return where the run is or would be; over ssh and without a login its place is told in the site's own words."""
    if isinstance(how, Here) or (run.path / "cluster.json").exists():
        return carrier_of(run, how)
    area = areas_of(place.site, place.asked.area)[0].path
    return FarCarrier(run, how, far_folder(area, run, source.study.name), "python3")


def _proposed(source: Source, place: Place, carrier: Carrier, tasks: int) -> dict[str, Any]:
    """Return what would be submitted for so many tasks."""
    run = carrier.run
    fold = latest_words(run).fold if run.exists and run.latest() else None
    if tasks == 0:
        raise RunError("nothing is left to run", f"packhorse status {run.path}")
    found = propose(source.study, place, tasks, fold)
    dialect = scheduler(place.site.scheduler)
    script = wave_script(carrier, place, dialect, found.request(place, source.study), found.rungs[0])
    return {
        "name": place.site.name,
        "folder": carrier.path if carrier.far else "",
        "sentence": found.sentence(),
        "shape": msgspec.to_builtins(found.shape),
        "rungs": msgspec.to_builtins(found.rungs),
        "cost": msgspec.to_builtins(found.cost),
        "notes": list(found.notes),
        "assumed": list(found.assumed),
        "script": script,
    }
