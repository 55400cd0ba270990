"""What to type next when a run on a site is over, and why it is."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from packhorse.cluster.job_state import run_argument
from packhorse.model.submission import ClusterRun
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.text.amounts import retry_command

WHY = {
    "idle": "stopped, since waves brought nothing new",
    "cap": "stopped at a limit that was set",
    "refused": "stopped, since the site takes no further job",
    "cancelled": "cancelled",
    "failing": "stopped, since the first tasks, spread over the space, all failed",
}


def why_stopped(why: str, text: str) -> str:
    """Return why nothing more was submitted, as a sentence; nothing where the run is simply done."""
    if why == "done":
        return text if ";" in text else ""
    return f"{WHY[why]}: {text}" if text else WHY[why]


def next_step(run: RunDirectory, why: str, counts: Mapping[str, int], text: str = "") -> str:
    """Return what to type when a run on a site is over for a reason: that of stopped.json, or lost."""
    name, again = run_argument(run), run_again(run)
    if why == "cap":
        return f"{again} --max-core-hours MORE goes on" if "core-hours" in text else f"{again} goes on"
    if why == "failing":
        return f"packhorse logs {name} --failed shows what they printed; mend it, then {again} --fresh"
    if why == "idle":
        return f"the files in {shlex.quote(str(run.path / 'logs'))} say why; mend it, then {again}"
    if why == "refused":
        return f"{_plan(again)} shows what the site allows; {again} tries again"
    if why in ("cancelled", "lost", "incomplete"):
        return f"{again} runs what is missing"
    return retry_hint(run, counts)


def retry_hint(run: RunDirectory, counts: Mapping[str, int]) -> str:
    """Return what runs the tasks again that have no result; nothing where all have one."""
    command = retry_command(run_argument(run), counts)
    return f"{command} runs them again" if command else ""


def run_again(run: RunDirectory) -> str:
    """Return the command that goes on with a run where it was."""
    cluster = Submissions(run).cluster()
    study = run.about().study
    target = Path(study).name if study and Path(study).parent == run.path.parent.parent else study
    command = ["packhorse", "run", target or str(run.path)]
    return shlex.join([*command, "--site", _site(cluster)] if cluster else command)


def _site(cluster: ClusterRun) -> str:
    return str(cluster.chosen.get("site", cluster.site.name))


def _plan(again: str) -> str:
    return again.replace("packhorse run", "packhorse plan", 1)
