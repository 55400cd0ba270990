"""A kind of cause: what shows it, the sentence that says it, and the remedy."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Certainty = Literal["certain", "likely", "possible"]
# How a script is changed; see changes.py.
Change = Literal["memory", "time", "login shell", "partition", "modules", "unbuffered", ""]
# What a log shows: a cause; a consequence, which counts where no cause is shown; the root of other errors; or what
# spoils every line.
Weight = Literal["first", "root", "cause", "consequence"]


class Kind(Struct, frozen=True, kw_only=True):
    """One kind. Texts may hold {name} of a group of the pattern that matched, or a fact of the job.

    A pattern is searched in single lines, without regard to the program that printed it.
    """

    id: str
    patterns: tuple[str, ...] = ()
    states: tuple[str, ...] = ()  # of the job, in the words of `packhorse jobs`, which show it without a log
    reasons: tuple[str, ...] = ()  # patterns of why a job waits
    exits: tuple[int, ...] = ()  # exit statuses that show it where the log shows nothing
    sentence: str
    remedy: str
    sure: Certainty = "certain"
    weight: Weight = "cause"
    change: Change = ""
    rules: tuple[str, ...] = ()  # of lint, whose fixes are the change


class JobFacts(Struct, frozen=True, kw_only=True):
    """What the scheduler says of a job. Times in seconds, memory in MiB."""

    state: str = ""  # running, failed, timed out, out of memory, ...
    exit: int | None = None
    signal: int | None = None
    elapsed: int | None = None
    limit: int | None = None
    memory: int | None = None
    memory_asked: int | None = None
    nodes: tuple[str, ...] = ()
    reason: str = ""  # why it waits
    needs: str = ""
