"""The scheduler of a site: one poll, at the site's interval, serves all runs of a user; jobs end when cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.command import Answer, Command
from packhorse.model.errors import RunError
from packhorse.model.job import Ended, Job
from packhorse.model.site import Site
from packhorse.model.submission import wave_of
from packhorse.project.cache_dir import cache_dir
from packhorse.remote.transport import LocalTransport, Transport
from packhorse.rundir.shared_reply import SharedReply
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from packhorse.text.amounts import counted

ROOT = "0"  # the user id of the administrator, and of what Slurm cancels by itself
END_SECONDS = 15.0  # for cancelled jobs to end; a worker that is told to end needs a few
LOOK_SECONDS = 1.0  # between two looks for jobs that were cancelled
CHUNK = 50  # elements in one command
SHOWN = 4  # jobs that remain, in one message
NAMES_SECONDS = 10.0  # for the site's directory of users to answer


class QueueReply(Struct, frozen=True):
    """A user's queued and running jobs at one moment (Unix seconds), or why the scheduler did not reply."""

    asked: float
    jobs: tuple[Job, ...] = ()
    silent: str = ""

    def of(self, run_id: str) -> list[tuple[int, bool, Job]]:
        """Return one run's jobs as (wave, whether the job is the wave's continuation, job)."""
        waves = ((wave_of(job.token, run_id), job) for job in self.jobs)
        return [(*wave, job) for wave, job in waves if wave is not None]


class Queue:
    """The scheduler of one site, for one user."""

    def __init__(self, site: Site, transport: Transport | None = None) -> None:
        self.site, self.transport = site, transport or LocalTransport(site)
        self.dialect = scheduler(site.scheduler)
        self.shared = SharedReply(cache_dir() / f"queue-{site.name}.json")

    @property
    def user(self) -> str:
        """The user's name on the site."""
        return self.transport.user

    def ask(self, command: Command) -> Answer:
        """Run a command of the scheduler."""
        return self.transport.run_command(command)

    def next_commands(self, oldest: float | None = None) -> list[Command]:
        """Return the first command of the next `jobs` call; nothing where the cached reply will be used."""
        limit = self.site.poll if oldest is None else oldest
        return [] if self.shared.fresh(limit) else [next(self.dialect.jobs(self.user))]

    def jobs(self, oldest: float | None = None) -> QueueReply:
        """Return the user's jobs from a reply at most `oldest` seconds old (default: the site's poll interval)."""
        limit = self.site.poll if oldest is None else oldest
        asked, reply = self.shared.get(limit, self._poll)
        if isinstance(reply, str):
            return QueueReply(asked, silent=reply)
        return QueueReply(asked, jobs=tuple(msgspec.convert(reply, list[Job])))

    def _poll(self) -> Any:
        reply = run_dialogue(self.dialect.jobs(self.user), self.ask)
        return reply.why if isinstance(reply, NoReply) else msgspec.to_builtins(reply)

    def ended(self, run_id: str, jobs: list[str]) -> list[Ended]:
        """Return how a run's jobs ended, as far as the accounting knows; replies are cached as those of `jobs` are.

        `by` is the login name on the site where the site knows the user, except for ROOT.
        """
        shared = SharedReply(cache_dir() / f"ended-{run_id}.json")
        _, reply = shared.get(self.site.poll, lambda: self._query_accounting(jobs))
        return msgspec.convert(reply or [], list[Ended])

    def _query_accounting(self, jobs: list[str]) -> Any:
        reply = run_dialogue(self.dialect.ended(jobs), self.ask)
        if isinstance(reply, NoReply):
            return None
        names = self._user_names({job.by for job in reply} - {"", ROOT})
        return msgspec.to_builtins([replace(job, by=names.get(job.by, job.by)) for job in reply])

    def _user_names(self, ids: set[str]) -> dict[str, str]:
        """Return login names by numeric user id, as the site has them; this machine may have other users."""
        if not ids:
            return {}
        # getent(1) prints a line of passwd(5) for each user that it finds, also where it lacks another.
        answer = self.ask(Command(argv=("getent", "passwd", *sorted(ids)), timeout=NAMES_SECONDS))
        entries = (line.split(":") for line in answer.stdout.splitlines())
        return {entry[2]: entry[0] for entry in entries if len(entry) > 2}

    def find(self, token: str) -> str | NoReply | None:
        """Return the number of the job with a token; None where there is none."""
        return run_dialogue(self.dialect.find(token, self.user), self.ask)

    def cancel(self, jobs: list[str]) -> str:
        """Cancel jobs; return the scheduler's error, or an empty text."""
        self.shared.forget()
        return run_dialogue(self.dialect.cancel(jobs), self.ask) if jobs else ""


def end_jobs(
    queue: Queue, jobs_of: Callable[[], list[Job]], number_of: Callable[[Job], str], again: str
) -> list[str]:
    """Cancel jobs until none is left, then each that is left by itself; return the numbers that were cancelled.

    `jobs_of` asks the scheduler for the jobs that are queued or running, `number_of` is what a job is cancelled by, and
    `again` is the command to repeat. Raises RunError where jobs remain.
    """
    numbers: set[str] = set()
    failure = ""
    give_up = time.monotonic() + END_SECONDS
    while left := _not_ending(queue, jobs_of()):
        # A wave may be submitted while another is cancelled.
        new = {number_of(job) for job in left} - numbers
        if new:
            failure = queue.cancel(sorted(new)) or failure
            numbers |= new
        elif time.monotonic() > give_up:
            _end_each(queue, left, jobs_of, failure, again)
            break
        else:
            time.sleep(min(LOOK_SECONDS, queue.site.poll))
    return sorted(numbers)


def _end_each(
    queue: Queue, left: list[Job], jobs_of: Callable[[], list[Job]], failure: str, again: str
) -> None:
    """Cancel elements by their own numbers; raise RunError for those that remain.

    TORQUE's qdel of an array succeeds although an element runs on a node that does not answer; that of the element
    says so.
    """
    numbers = [_number(queue, job) for job in left]
    parts = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
    failure = "; ".join(dict.fromkeys(filter(None, map(queue.cancel, parts)))) or failure
    time.sleep(min(LOOK_SECONDS, queue.site.poll))
    remaining = _not_ending(queue, jobs_of())
    if not remaining:
        return
    names = [_number(queue, job) + (f" on {job.node}" if job.node else "") for job in remaining]
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    reason = f": {failure}" if failure else ""
    first = remaining[0]
    purge = queue.dialect.purge.replace("JOB", _number(queue, first)).replace("NODE", first.node or "NODE")
    raise RunError(
        f"{counted(len(names), 'job')} did not end: {', '.join(names[:SHOWN])}{more}{reason}",
        f"a worker that still runs there ends by itself; the site's staff can remove the job ({purge}); {again}"
        " tries again",
    )


def _not_ending(queue: Queue, jobs: list[Job]) -> list[Job]:
    return [job for job in jobs if job.word not in queue.dialect.ending_words]


def _number(queue: Queue, job: Job) -> str:
    return job.job if job.element is None else queue.dialect.element_of(job.job, job.element)
