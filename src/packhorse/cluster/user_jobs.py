"""All of a user's jobs on all their sites, also those submitted by hand; each site is asked as seldom as it allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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

AT_ONCE = 8  # sites that are asked at a time
DAYS = 3  # of jobs that ended


class JobFilter(Struct, frozen=True, kw_only=True):
    """Which jobs: those that wait or run, those that ended in the last days, or both."""

    alive: bool = True
    ended: bool = False
    days: int = DAYS


class SiteJobs(Struct, frozen=True, kw_only=True):
    """The jobs of one site, when it was asked; or why it did not answer, and what to type."""

    site: str
    poll: float = 60.0  # seconds between two questions
    idle: int | None = None  # seconds after which a login that does nothing ends, where we ride on one
    asked: float = 0.0
    rows: tuple[JobRow, ...] = ()
    silent: str = ""
    hint: str = ""


class AllJobs(Struct, frozen=True, kw_only=True):
    """The jobs of all sites that were asked, and the sites that were not, with the reason."""

    sites: tuple[SiteJobs, ...]
    left_out: dict[str, str] = {}

    @property
    def alive(self) -> bool:
        """Whether anything waits or runs, as far as is known."""
        return any(row.alive for site in self.sites for row in site.rows)


def all_jobs(folder: Path, named: Sequence[str], wanted: JobFilter) -> AllJobs:
    """Return the jobs on the sites that were named, or on all of the user's own; a silent site hides no other."""
    mine = user_sites(folder, named)
    names = {site.name: run_names(folder, site) for site in mine.sites}

    def ask(site: Site) -> SiteJobs:
        return site_jobs(site, wanted, names[site.name])

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = tuple(pool.map(ask, mine.sites))
    return AllJobs(sites=found, left_out=mine.left_out)


def poll_interval(found: AllJobs) -> tuple[float, float | None]:
    """Return how often the sites may be asked, and for how long: where one is reached over a login, by its idle rule."""
    idle = [site.idle for site in found.sites if site.idle is not None]
    return min((site.poll for site in found.sites), default=60.0), min(idle, default=None)


def site_jobs(site: Site, wanted: JobFilter, names: RunNames) -> SiteJobs:
    """Return the jobs of one site."""
    return _answered(site, [wanted], names)


def find_job(site: Site, job: str, names: RunNames, days: int) -> SiteJobs:
    """Return one job of a site, looked for among those that wait or run, and then among those that ended."""
    return _answered(site, [JobFilter(), JobFilter(ended=True, days=days)], names, job)


def _answered(site: Site, wanted: Sequence[JobFilter], names: RunNames, job: str = "") -> SiteJobs:
    """Return what a site answers; of what is wanted the first that has the job is enough."""
    how = transport_for(site)
    queue = Queue(site, how)
    try:
        found = _one(_ask(queue, wanted[0], names), job) if _all_fresh(queue, wanted[0]) else None
        if found is None or not (found.rows or found.silent or len(wanted) == 1):
            found = _in_a_session(queue, wanted, names, job)
    except PackhorseError as error:
        found = SiteJobs(site=site.name, silent=error.message, hint=error.hint)
    return replace(found, poll=site.poll, idle=how.idle_limit)


def _in_a_session(queue: Queue, wanted: Sequence[JobFilter], names: RunNames, job: str) -> SiteJobs:
    with queue.transport.open():
        queue.transport.identify(list(queue.dialect.programs))
        found = SiteJobs(site=queue.site.name)
        for one in wanted:
            found = _one(_ask(queue, one, names), job)
            if found.rows or found.silent:
                break
        return found


def _one(found: SiteJobs, job: str) -> SiteJobs:
    return replace(found, rows=tuple(row for row in found.rows if row.job == job)) if job else found


def _all_fresh(queue: Queue, wanted: JobFilter) -> bool:
    """Whether all that is wanted was asked so lately that the site need not be reached."""
    shared = [queue.shared] * wanted.alive + [_history(queue, wanted.days)] * wanted.ended
    return all(one.fresh(queue.site.poll) for one in shared)


def _ask(queue: Queue, wanted: JobFilter, names: RunNames) -> SiteJobs:
    name, dialect = queue.site.name, queue.dialect
    jobs = queue.jobs()
    if jobs.silent:
        hint = f"packhorse jobs {name} asks again; the jobs go on by themselves"
        return SiteJobs(site=name, asked=jobs.asked, silent=jobs.silent, hint=hint)
    over: list[Ended] = []
    silent = ""
    if wanted.ended:
        _, said = _history(queue, wanted.days).get(queue.site.poll, lambda: _ask_history(queue, wanted.days))
        silent = said if isinstance(said, str) else ""
        over = [] if silent else msgspec.convert(said, list[Ended])
    found = job_rows(dialect, name, jobs.jobs, over, names)
    shown = tuple(row for row in found if (wanted.alive if row.alive else wanted.ended))
    return SiteJobs(site=name, asked=jobs.asked, rows=shown, silent=silent)


def _history(queue: Queue, days: int) -> SharedReply:
    return SharedReply(cache_dir() / f"history-{queue.site.name}-{days}.json")


def _ask_history(queue: Queue, days: int) -> Any:
    said = run_dialogue(queue.dialect.history(queue.user, days), queue.ask)
    return said.why if isinstance(said, NoReply) else msgspec.to_builtins(said)


def run_names(folder: Path, site: Site) -> RunNames:
    """Return which jobs of a site belong to which runs under runs/, by what these have written down."""
    by_id: dict[str, str] = {}
    by_job: dict[str, str] = {}
    for run in list_runs(folder):
        try:
            by_id[run.about().id] = run.path.name
            by_job |= dict.fromkeys(_numbers(run, site), run.path.name)
        except (PackhorseError, OSError, msgspec.MsgspecError):
            continue  # `packhorse runs` says what is wrong with it
    return RunNames(by_id=by_id, by_job=by_job)


def _numbers(run: RunDirectory, site: Site) -> Iterator[str]:
    own = read_script_job(run)
    if own is not None and own.site.name == site.name:
        yield from _some((own.job,))
    kept = Submissions(run)
    for wave in run.waves():
        sent = kept.of(wave)
        if sent is not None and sent.site == site.name:
            yield from _some((sent.job, sent.continuation))


def _some(words: Iterable[str]) -> Iterator[str]:
    return (word for word in words if word)
