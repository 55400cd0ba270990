"""Asking a site's scheduler, as seldom as the site allows, for all runs of a user at once."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from packhorse.model.command import Answer, Command
from packhorse.model.job import Ended, Job
from packhorse.model.site import Site
from packhorse.model.submission import wave_of
from packhorse.project.cache_dir import cache_dir
from packhorse.remote.transport import LocalTransport, Transport
from packhorse.rundir.shared_reply import SharedReply
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply


class QueueReply(Struct, frozen=True):
    """A user's jobs that wait or run, when the scheduler was asked, and why it did not answer."""

    asked: float
    jobs: tuple[Job, ...] = ()
    silent: str = ""

    def of(self, run_id: str) -> list[tuple[int, bool, Job]]:
        """Return one run's jobs as (wave, whether it only follows that wave, job)."""
        found = []
        for job in self.jobs:
            meaning = wave_of(job.token, run_id)
            if meaning is not None:
                found.append((*meaning, job))
        return found


class Queue:
    """The scheduler of one site, as one user sees it."""

    def __init__(self, site: Site, how: Transport | None = None) -> None:
        self.site, self.transport = site, how or LocalTransport(site)
        self.dialect = scheduler(site.scheduler)
        self.shared = SharedReply(cache_dir() / f"queue-{site.name}.json")

    @property
    def user(self) -> str:
        """The user's name on the site."""
        return self.transport.user

    def ask(self, command: Command) -> Answer:
        """Run a command of the scheduler."""
        return self.transport.run_command(command)

    def announced(self, oldest: float | None = None) -> list[Command]:
        """Return the command that `jobs` will begin with, if it will ask at all."""
        limit = self.site.poll if oldest is None else oldest
        return [] if self.shared.fresh(limit) else [next(self.dialect.jobs(self.user))]

    def jobs(self, oldest: float | None = None) -> QueueReply:
        """Return the user's jobs, asked no longer than `oldest` seconds ago (default: the site's interval)."""
        limit = self.site.poll if oldest is None else oldest
        asked, said = self.shared.get(limit, self._ask)
        if isinstance(said, str):
            return QueueReply(asked, silent=said)
        return QueueReply(asked, jobs=tuple(msgspec.convert(said, list[Job])))

    def _ask(self) -> Any:
        said = run_dialogue(self.dialect.jobs(self.user), self.ask)
        return said.why if isinstance(said, NoReply) else msgspec.to_builtins(said)

    def ended(self, run_id: str, jobs: list[str]) -> list[Ended]:
        """Return how a run's jobs ended, if the accounting tells; for one run it is asked as seldom as the queue."""
        shared = SharedReply(cache_dir() / f"ended-{run_id}.json")
        _, said = shared.get(self.site.poll, lambda: self._ask_ended(jobs))
        return msgspec.convert(said or [], list[Ended])

    def _ask_ended(self, jobs: list[str]) -> Any:
        said = run_dialogue(self.dialect.ended(jobs), self.ask)
        return None if isinstance(said, NoReply) else msgspec.to_builtins(said)

    def find(self, token: str) -> str | NoReply | None:
        """Return the number of the job with a token, None where there is none, Silent where nobody answers."""
        return run_dialogue(self.dialect.find(token, self.user), self.ask)

    def cancel(self, jobs: list[str]) -> str:
        """Cancel jobs; return what went wrong, or nothing."""
        self.shared.forget()
        return run_dialogue(self.dialect.cancel(jobs), self.ask) if jobs else ""
