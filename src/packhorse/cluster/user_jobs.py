"""All jobs of a user on all their sites, also those of other programs; each site is polled at its own interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.cluster.job_table import JobRow, RunNames, job_rows
from packhorse.cluster.queue import Queue
from packhorse.model.errors import PackhorseError
from packhorse.model.job import Ended
from packhorse.model.site import Site
from packhorse.project.cache_dir import cache_dir
from packhorse.project.user_sites import user_sites
from packhorse.remote.transport import transport_for
from packhorse.rundir.directory import RunDirectory, list_runs
from packhorse.rundir.shared_reply import SharedReply
from packhorse.rundir.submissions import Submissions, read_script_job
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers.scheduler import NoReply

AT_ONCE = 8  # sites that are queried at the same time
DAYS = 3  # of ended jobs
POLL_SECONDS = 60.0  # where no site was queried


class JobFilter(Struct, frozen=True, kw_only=True):
    """Which jobs to list: queued and running ones, those that ended in the last days, or both."""

    alive: bool = True
    ended: bool = False
    days: int = DAYS


class SiteJobs(Struct, frozen=True, kw_only=True):
    """The jobs of one site at one moment (`asked`, Unix seconds), or why there was no reply, and a hint."""

    site: str
    poll: float = POLL_SECONDS  # seconds between two polls
    idle: int | None = None  # seconds after which the site closes an idle login; None where there is no login
    asked: float = 0.0
    rows: tuple[JobRow, ...] = ()
    silent: str = ""
    hint: str = ""


class AllJobs(Struct, frozen=True, kw_only=True):
    """The jobs of all sites that were queried, and the reasons why others were not."""

    sites: tuple[SiteJobs, ...]
    left_out: dict[str, str] = {}

    @property
    def alive(self) -> bool:
        """Whether a listed job is queued or running."""
        return any(row.alive for site in self.sites for row in site.rows)


def all_jobs(folder: Path, names: Sequence[str], job_filter: JobFilter) -> AllJobs:
    """Return the jobs on the named sites, or on all of the user's; a site without a reply does not hide the others."""
    sites = user_sites(folder, names)
    runs = {site.name: run_names(folder, site) for site in sites.sites}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        rows = tuple(pool.map(lambda site: site_jobs(site, job_filter, runs[site.name]), sites.sites))
    return AllJobs(sites=rows, left_out=sites.left_out)


def poll_interval(jobs: AllJobs) -> tuple[float, float | None]:
    """Return the seconds between two polls, and for how long to poll: the shortest limit for idle logins."""
    limits = [site.idle for site in jobs.sites if site.idle is not None]
    return min((site.poll for site in jobs.sites), default=POLL_SECONDS), min(limits, default=None)


def site_jobs(site: Site, job_filter: JobFilter, runs: RunNames) -> SiteJobs:
    """Return the jobs of one site."""
    return _query(site, [job_filter], runs)


def find_job(site: Site, job: str, runs: RunNames, days: int) -> SiteJobs:
    """Return one job of a site, from queued and running jobs, else from those that ended in the last `days`."""
    return _query(site, [JobFilter(), JobFilter(ended=True, days=days)], runs, job)


def _query(site: Site, filters: Sequence[JobFilter], runs: RunNames, job: str = "") -> SiteJobs:
    """Return the jobs of a site: those of the first filter that has some; only `job`, where that is named."""
    transport = transport_for(site)
    queue = Queue(site, transport)
    try:
        jobs = _only(_ask(queue, filters[0], runs), job) if _all_fresh(queue, filters[0]) else None
        if jobs is None or not (jobs.rows or jobs.silent or len(filters) == 1):
            jobs = _query_in_session(queue, filters, runs, job)
    except PackhorseError as error:
        jobs = SiteJobs(site=site.name, silent=error.message, hint=error.hint)
    return replace(jobs, poll=site.poll, idle=transport.idle_limit)


def _query_in_session(queue: Queue, filters: Sequence[JobFilter], runs: RunNames, job: str) -> SiteJobs:
    with queue.transport.open():
        queue.transport.identify(list(queue.dialect.programs))
        jobs = SiteJobs(site=queue.site.name)
        for job_filter in filters:
            jobs = _only(_ask(queue, job_filter, runs), job)
            if jobs.rows or jobs.silent:
                break
        return jobs


def _only(jobs: SiteJobs, job: str) -> SiteJobs:
    return replace(jobs, rows=tuple(row for row in jobs.rows if row.job == job)) if job else jobs


def _all_fresh(queue: Queue, job_filter: JobFilter) -> bool:
    """Return whether all replies are cached and new enough, so that the site need not be reached."""
    replies = [queue.shared] * job_filter.alive + [_history(queue, job_filter.days)] * job_filter.ended
    return all(reply.fresh(queue.site.poll) for reply in replies)


def _ask(queue: Queue, job_filter: JobFilter, runs: RunNames) -> SiteJobs:
    name, dialect = queue.site.name, queue.dialect
    jobs = queue.jobs()
    if jobs.silent:
        hint = f"to try again: packhorse jobs {name}; the jobs continue"
        return SiteJobs(site=name, asked=jobs.asked, silent=jobs.silent, hint=hint)
    ended: list[Ended] = []
    silent = ""
    if job_filter.ended:
        days = job_filter.days
        _, reply = _history(queue, days).get(queue.site.poll, lambda: _ask_history(queue, days))
        silent = reply if isinstance(reply, str) else ""
        ended = [] if silent else msgspec.convert(reply, list[Ended])
    rows = job_rows(dialect, name, jobs.jobs, ended, runs)
    shown = tuple(row for row in rows if (job_filter.alive if row.alive else job_filter.ended))
    return SiteJobs(site=name, asked=jobs.asked, rows=shown, silent=silent)


def _history(queue: Queue, days: int) -> SharedReply:
    return SharedReply(cache_dir() / f"history-{queue.site.name}-{days}.json")


def _ask_history(queue: Queue, days: int) -> Any:
    reply = run_dialogue(queue.dialect.history(queue.user, days), queue.ask)
    return reply.why if isinstance(reply, NoReply) else msgspec.to_builtins(reply)


def run_names(folder: Path, site: Site) -> RunNames:
    """Return the runs under runs/ to which jobs of a site belong, by what these runs recorded."""
    by_id: dict[str, str] = {}
    by_job: dict[str, str] = {}
    for run in list_runs(folder):
        try:
            by_id[run.about().id] = run.path.name
            by_job |= dict.fromkeys(filter(None, _job_numbers(run, site)), run.path.name)
        except (PackhorseError, OSError, msgspec.MsgspecError):
            continue  # `packhorse runs` reports a damaged run
    return RunNames(by_id=by_id, by_job=by_job)


def _job_numbers(run: RunDirectory, site: Site) -> Iterator[str]:
    """Yield the numbers of a run's jobs on a site; empty where a number is not known."""
    job = read_script_job(run)
    if job is not None and job.site.name == site.name:
        yield job.job
    submissions = Submissions(run)
    for wave in run.waves():
        submission = submissions.of(wave)
        if submission is not None and submission.site == site.name:
            yield submission.job
            yield submission.continuation
