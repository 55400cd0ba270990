"""What may run on a login node: a minute of one core; the rest belongs on the cluster's own nodes."""

from __future__ import annotations

import shlex

from packhorse.model.errors import RunError
from packhorse.model.site import Site
from packhorse.project.placement import work_of
from packhorse.project.sites import this_site
from packhorse.project.source import Source
from packhorse.results.fold import Fold
from packhorse.text.amounts import span

MINUTE = 60.0  # seconds of one core


def login_site(source: Source) -> Site | None:
    """Return the cluster of which this machine is a login node, or None."""
    site = this_site(source.folder)
    return None if site is None or site.scheduler == "local" else site


def check_minute(source: Source, site: Site, tasks: int, fold: Fold) -> None:
    """Refuse work that is known to take more than a minute of one core; raise RunError."""
    work = work_of(source.study, tasks, fold)
    needs = tasks * work.task * source.study.resources.cpus
    if work.known and needs > MINUTE:
        raise too_much(source, site, f"this is about {span(needs)} of one core's work")


def too_much(source: Source, site: Site, said: str) -> RunError:
    """Return the refusal, with the command that runs it on the cluster."""
    study = shlex.quote(str(source.path.name if source.path else "study.yaml"))
    title = site.title or site.name
    return RunError(
        f"this machine is a login node of {site.name} ({title}), made for a minute of one core's work: {said}",
        f"packhorse run {study} --site {site.name}\n--site local runs it here all the same",
    )
