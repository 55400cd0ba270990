"""All jobs of the user on all their sites."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from packhorse.app.jobs.job_row import JobRow
from packhorse.cluster.user_jobs import AllJobs, JobFilter, all_jobs
from packhorse.model.json_output import JsonOutput


class SiteJobList(Struct, frozen=True, kw_only=True):
    """The jobs on one site."""

    site: Annotated[str, Meta(description="The site's name.")]
    poll: Annotated[float, Meta(description="Least seconds between two queries.")]
    idle: Annotated[int | None, Meta(description="Seconds after which the site closes an idle login.")]
    asked: Annotated[float, Meta(description="When the scheduler was queried, in Unix seconds.")]
    rows: Annotated[tuple[JobRow, ...], Meta(description="The jobs.")]
    silent: Annotated[str, Meta(description="Why the scheduler did not answer; empty: it did.")]
    hint: Annotated[str, Meta(description="The next command to type then.")]


class JobList(JsonOutput, frozen=True, kw_only=True, tag="packhorse-jobs/1"):
    """All jobs of the user."""

    sites: Annotated[tuple[SiteJobList, ...], Meta(description="The sites that were queried.")]
    left_out: Annotated[dict[str, str], Meta(description="The other sites, each with the reason.")]


def jobs(folder: Path, sites: Sequence[str], *, alive: bool, ended: bool, days: int) -> AllJobs:
    """Return the jobs on the named sites, or on all of the user's; `days` limits how long ago jobs ended."""
    return all_jobs(folder, sites, JobFilter(alive=alive, ended=ended, days=days))


def json_output(found: AllJobs) -> JobList:
    """Return what `--json` prints."""
    sites = msgspec.convert([msgspec.to_builtins(site) for site in found.sites], tuple[SiteJobList, ...])
    return JobList(sites=sites, left_out=dict(found.left_out))
