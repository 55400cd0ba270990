"""Why a run on a site is over, and the command to type next."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from packhorse.cluster.job_state import run_argument
from packhorse.model.submission import ClusterRun
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
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


def run_again(run: RunDirectory) -> str:
    """Return the command that continues a run on its site."""
    cluster = Submissions(run).cluster()
    study = run.about().study
    target = Path(study).name if study and Path(study).parent == run.path.parent.parent else study
    command = ["packhorse", "run", target or str(run.path)]
    return shlex.join([*command, "--site", _site(cluster)] if cluster else command)


def _site(cluster: ClusterRun) -> str:
    """Return the site as the user named it: its name, or the path of its file."""
    return str(cluster.chosen.get("site", cluster.site.name))
