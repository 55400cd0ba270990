"""Limit runs on a login node to a minute of one core; longer work belongs on compute nodes."""

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
    """Return the cluster of which this machine is a login node; None where there is none."""
    site = this_site(source.folder)
    return None if site is None or site.scheduler == "local" else site


def check_minute(source: Source, site: Site, tasks: int, fold: Fold) -> None:
    """Raise RunError where the tasks are known to take more than a minute of one core."""
    work = work_of(source.study, tasks, fold)
    needs = tasks * work.task * source.study.resources.cpus
    if work.known and needs > MINUTE:
        raise login_node_error(source, site, f"this run takes about {span(needs)} of one core")


def login_node_error(source: Source, site: Site, reason: str) -> RunError:
    """Return the error, with the command that runs the study on the cluster."""
    study = shlex.quote(str(source.path.name if source.path else "study.yaml"))
    title = site.title or site.name
    return RunError(
        f"this machine is a login node of {site.name} ({title}), limited to a minute of one core: {reason}",
        f"packhorse run {study} --site {site.name}\n--site local runs it here anyway",
    )
