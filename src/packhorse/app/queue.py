"""Asking a site's scheduler, as seldom as the site allows, for all runs of a user at once."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from packhorse.app.cache import cache_folder
from packhorse.app.reach import Here, Reach
from packhorse.model.command import Answer, Command
from packhorse.model.job import Ended, Job
from packhorse.model.site import Site
from packhorse.model.submission import wave_of
from packhorse.run.shared import SharedAnswer
from packhorse.run.talking import talk
from packhorse.schedulers import scheduler
from packhorse.schedulers.talk import Silent


class Jobs(Struct, frozen=True):
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

    def __init__(self, site: Site, how: Reach | None = None) -> None:
        self.site, self.reach = site, how or Here(site)
        self.dialect = scheduler(site.scheduler)
        self.shared = SharedAnswer(cache_folder() / f"queue-{site.name}.json")

    @property
    def user(self) -> str:
        """The user's name on the site."""
        return self.reach.user

    def ask(self, command: Command) -> Answer:
        """Run a command of the scheduler."""
        return self.reach.ask(command)

    def announced(self, oldest: float | None = None) -> list[Command]:
        """Return the command that `jobs` will begin with, if it will ask at all."""
        limit = self.site.poll if oldest is None else oldest
        return [] if self.shared.fresh(limit) else [next(self.dialect.jobs(self.user))]

    def jobs(self, oldest: float | None = None) -> Jobs:
        """Return the user's jobs, asked no longer than `oldest` seconds ago (default: the site's interval)."""
        limit = self.site.poll if oldest is None else oldest
        asked, said = self.shared.get(limit, self._ask)
        if isinstance(said, str):
            return Jobs(asked, silent=said)
        return Jobs(asked, jobs=tuple(msgspec.convert(said, list[Job])))

    def _ask(self) -> Any:
        said = talk(self.dialect.jobs(self.user), self.ask)
        return said.why if isinstance(said, Silent) else msgspec.to_builtins(said)

    def ended(self, run_id: str, jobs: list[str]) -> list[Ended]:
        """Return how a run's jobs ended, if the accounting tells; for one run it is asked as seldom as the queue."""
        shared = SharedAnswer(cache_folder() / f"ended-{run_id}.json")
        _, said = shared.get(self.site.poll, lambda: self._ask_ended(jobs))
        return msgspec.convert(said or [], list[Ended])

    def _ask_ended(self, jobs: list[str]) -> Any:
        said = talk(self.dialect.ended(jobs), self.ask)
        return None if isinstance(said, Silent) else msgspec.to_builtins(said)

    def find(self, token: str) -> str | Silent | None:
        """Return the number of the job with a token, None where there is none, Silent where nobody answers."""
        return talk(self.dialect.find(token, self.user), self.ask)

    def cancel(self, jobs: list[str]) -> str:
        """Cancel jobs; return what went wrong, or nothing."""
        self.shared.forget()
        return talk(self.dialect.cancel(jobs), self.ask) if jobs else ""
