"""What a run on a batch system keeps about its jobs. Memory in MiB, times in seconds, moments in Unix seconds."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from packhorse.model.site import Site


class Submission(Struct, frozen=True, kw_only=True):
    """`waves/K/submission.json`: the intent to submit a wave, and then the fact."""

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
    memory: int | None = None  # of an element
    seconds: int | None = None
    exclude: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()
    intended: float = 0.0
    job: str = ""
    submitted: float = 0.0
    released: float = 0.0  # where waves are held back until something follows them
    continuation: str = ""
    refused: str = ""


class StopRecord(Struct, frozen=True, kw_only=True):
    """`stopped.json`: why the continuation submitted nothing more."""

    why: Literal["done", "idle", "cap", "cancelled", "failing", "refused"]
    text: str = ""
    wave: int = 0


class ClusterRun(Struct, frozen=True, kw_only=True):
    """`cluster.json`: where a run's jobs are, as `status`, `cancel` and `retry` need to know it."""

    format: str = "packhorse-cluster"
    version: int = 1
    site: Site
    user: str
    partition: str = ""
    mail: str = ""
    folder: str = ""  # of the run on a site that was reached over ssh
    python: str = ""  # that runs the worker there
    chosen: dict[str, str | int | float] = field(default_factory=dict)  # what the command line said


def token_of(run_id: str, wave: int, *, following: bool = False) -> str:
    """Return the token by which a wave's job, or the one that follows it, is found."""
    return f"packhorse-{run_id}-{wave}{'-next' if following else ''}"


def wave_of(token: str, run_id: str) -> tuple[int, bool] | None:
    """Return the wave of a token, and whether it is the one that follows it; None for another run's."""
    head, sep, rest = token.partition(f"packhorse-{run_id}-")
    if head or not sep:
        return None
    number, _, following = rest.partition("-")
    return (int(number), following == "next") if number.isdigit() else None
