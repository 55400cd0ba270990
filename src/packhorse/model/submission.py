"""Files in which a run on a batch system records its jobs.

Memory is in MiB, durations are in seconds, points in time are Unix seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from packhorse.model.site import Site


class Submission(Struct, frozen=True, kw_only=True):
    """`waves/K/submission.json`: the intent to submit a wave, and then the submitted job."""

    format: str = "packhorse-submission"
    version: int = 1
    wave: int
    site: str
    scheduler: str = "slurm"
    token: str
    rung: str = "base"
    partition: str = ""
    elements: int
    slots: int
    cores: int
    memory: int | None = None  # per element
    seconds: int | None = None
    exclude: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    intended: float = 0.0
    job: str = ""
    submitted: float = 0.0
    released: float = 0.0  # of a wave that was submitted on hold until the next one was queued
    continuation: str = ""
    refused: str = ""


class StopRecord(Struct, frozen=True, kw_only=True):
    """`stopped.json`: why the continuation submitted no further wave."""

    why: Literal["done", "idle", "cap", "cancelled", "failing", "refused"]
    text: str = ""
    wave: int = 0


class ClusterRun(Struct, frozen=True, kw_only=True):
    """`cluster.json`: the site and user of a run's jobs, for `status`, `cancel` and `retry`."""

    format: str = "packhorse-cluster"
    version: int = 1
    site: Site
    user: str
    partition: str = ""
    mail: str = ""
    folder: str = ""  # of the run, on a site that is reached over ssh
    python: str = ""  # the interpreter of the worker at the site
    chosen: dict[str, str | int | float] = field(default_factory=dict)  # options of the command line


def token_of(run_id: str, wave: int, *, following: bool = False) -> str:
    """Return the token that identifies the job of a wave, or the continuation that follows it."""
    return f"packhorse-{run_id}-{wave}{'-next' if following else ''}"


def wave_of(token: str, run_id: str) -> tuple[int, bool] | None:
    """Return the wave of a token, and whether it names the continuation; None for a token of another run."""
    head, sep, rest = token.partition(f"packhorse-{run_id}-")
    if head or not sep:
        return None
    number, _, following = rest.partition("-")
    return (int(number), following == "next") if number.isdigit() else None
