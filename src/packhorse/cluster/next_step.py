"""Why a run on a site is over, and the command to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from packhorse.cluster.job_state import run_again, run_argument
from packhorse.rundir.directory import RunDirectory
from packhorse.text.amounts import retry_command

# By `why` in stopped.json.
REASONS = {
    "idle": "stopped: the last waves had no new result",
    "cap": "stopped at a limit that was set",
    "refused": "stopped: the site accepts no further job",
    "cancelled": "cancelled",
    "failing": "stopped: the first tasks, spread over the parameter space, all failed",
}


def why_stopped(why: str, text: str) -> str:
    """Return why no further wave was submitted; an empty text where the run is done."""
    if why == "done":
        return text if ";" in text else ""
    return f"{REASONS[why]}: {text}" if text else REASONS[why]


def next_step(run: RunDirectory, why: str, counts: Mapping[str, int], text: str = "") -> str:
    """Return what to type when a run on a site is over; `why` is that of stopped.json, "lost" or "incomplete"."""
    name, again = run_argument(run), run_again(run)
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
