"""Why a run on a site is over, and the command to type next."""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Mapping, Sequence

from msgspec import Struct

from packhorse.cluster.job_state import run_again, run_argument
from packhorse.cluster.queue import Queue
from packhorse.cluster.wave_history import JOBS, WaveHistory, failed_job_output, waves_of, with_job_ends
from packhorse.model.errors import Unreachable
from packhorse.remote.open_store import open_store
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import counted, retry_command, size, span

RECENT = 2  # waves without a result, the newest, whose jobs tell why
# By `why` in stopped.json.
REASONS = {
    "idle": "stopped: the last waves had no new result",
    "cap": "stopped at a limit that was set",
    "refused": "stopped: the site accepts no further job",
    "cancelled": "cancelled",
    "failing": "stopped: the first tasks, spread over the parameter space, all failed",
}


GROWTH = 2  # times the memory with which a job was killed
MEMORY_STEP = 16  # MiB


class JobCause(Struct, frozen=True, kw_only=True):
    """Why the jobs of the newest waves ended without a result, and what to change; both empty where that is not known."""

    text: str = ""
    remedy: str = ""  # lines


NO_CAUSE = JobCause()


def job_cause(run: RunDirectory, waves: Sequence[WaveHistory], memory_words: Sequence[str]) -> JobCause:
    """Return why the newest waves ended without a result, by their jobs' ends and output.

    `waves` have how their jobs ended, as far as the accounting tells; `memory_words` are those of the site's scheduler.
    """
    empty = list(itertools.takewhile(lambda wave: not wave.counts.get("OK"), reversed(waves)))[:RECENT]
    if not empty:
        return NO_CAUSE
    output = failed_job_output(run, waves)
    ends = {how for wave in empty for how in wave.ended}
    if JOBS["memory"] in ends or any(text in output.lower() for text in memory_words):
        return _too_little_memory(run, empty[0])
    if JOBS["timeout"] in ends and empty[0].seconds:
        return JobCause(
            text=f"their jobs reached the time limit of {span(empty[0].seconds)} before a task ended",
            remedy="ask for longer jobs in the study:\n  cluster:\n    job_time: "
            f"{span(GROWTH * empty[0].seconds)}",
        )
    if ends:
        return JobCause(text="their jobs ended like this: " + ", ".join(sorted(ends)))
    return JobCause(text=f"no worker started in a job; output of one job: {output}" if output else "")


def _too_little_memory(run: RunDirectory, wave: WaveHistory) -> JobCause:
    submission = Submissions(run).of(wave.wave)
    slots = submission.slots if submission else 1
    if not wave.memory:
        return JobCause(
            text="their jobs were killed for memory, of which the study asks for none",
            remedy="name what a task needs in the study, such as:\n  resources:\n    memory: 4 GB",
        )
    at_a_time = f" for {counted(slots, 'task')} at a time" if slots > 1 else ""
    more = math.ceil(GROWTH * wave.memory / slots / MEMORY_STEP) * MEMORY_STEP
    return JobCause(
        text=f"their jobs were killed for memory: each had {size(wave.memory)}{at_a_time}",
        remedy=f"ask for more for each task in the study:\n  resources:\n    memory: {size(more)}",
    )


def end_cause(run: RunDirectory) -> JobCause:
    """Return `job_cause` of a run on a site that is over; its scheduler is asked, where it can be reached."""
    cluster = Submissions(run).cluster()
    if cluster is None:
        return NO_CAUSE
    store = open_store(run)
    queue = Queue(cluster.site, store.transport)
    waves = waves_of(run)
    try:
        with store.open():
            waves = with_job_ends(waves, run, queue, working=0)
    except Unreachable:
        pass  # the output of jobs is here
    return job_cause(run, waves, queue.dialect.memory_words)


def why_stopped(why: str, text: str, cause: JobCause = NO_CAUSE) -> str:
    """Return why no further wave was submitted; an empty text where the run is done."""
    if why == "done":
        return text if ";" in text else ""
    if why == "idle" and cause.text:
        return (
            f"{REASONS[why]}: {cause.text if cause.remedy else '; '.join(filter(None, (text, cause.text)))}"
        )
    return f"{REASONS[why]}: {text}" if text else REASONS[why]


def next_step(
    run: RunDirectory, why: str, counts: Mapping[str, int], text: str = "", cause: JobCause = NO_CAUSE
) -> str:
    """Return what to type when a run on a site is over; `why` is that of stopped.json, "lost" or "incomplete"."""
    name, again = run_argument(run), run_again(run)
    if why in ("idle", "lost", "incomplete") and cause.remedy:
        return f"{cause.remedy}\nthen: {again}"
    if why == "cap":
        more = " --max-core-hours MORE" if "core-hours" in text else ""
        return f"{again}{more} continues"
    if why == "failing":
        return f"packhorse logs {name} --failed shows their output; correct the code, then {again} --fresh"
    if why == "idle":
        return f"see the files in {shlex.quote(str(run.path / 'logs'))}; correct the cause, then {again}"
    if why == "refused":
        plan = again.replace("packhorse run", "packhorse plan", 1)
        return f"{plan} shows what the site allows; {again} tries again"
    if why in ("cancelled", "lost", "incomplete"):
        return f"{again} runs what is missing"
    return retry_hint(run, counts)


def retry_hint(run: RunDirectory, counts: Mapping[str, int]) -> str:
    """Return the command that runs failed tasks again; an empty text where none failed. `counts` are by outcome."""
    command = retry_command(run_argument(run), counts)
    return f"{command} runs them again" if command else ""
