"""Why tasks of a run failed."""

from __future__ import annotations

import shlex
from typing import Any

import msgspec

from packhorse.results.failures import group_failures, group_records
from packhorse.results.fold import Fold
from packhorse.results.journal_tail import failed_attempts
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundata.unreadable import refused_records
from packhorse.rundir.directory import RunDirectory

SHOWN = 8  # causes in one message


def cause_list(run: RunDirectory) -> list[dict[str, Any]]:
    """Return why tasks failed: outcome, exit status or signal, last line of stderr, number of tasks, examples."""
    waves = run.waves()
    if len(waves) == 1:
        # No later wave can have replaced a failure, so the records of other tasks need not be read.
        failed = [record for path in run.ends(waves[0]) for record in failed_attempts(path)]
        failed += refused_records(run)
        return [
            msgspec.to_builtins(one) for one in group_records((record.index, record) for record in failed)
        ]
    return [msgspec.to_builtins(one) for one in group_failures(latest_outcomes(run).fold)]


def failure_lines(fold: Fold, run: str) -> list[str]:
    """Return the causes as lines, the most frequent first."""
    groups = group_failures(fold)
    rows = ["  " + cause_line(msgspec.to_builtins(group)) for group in groups[:SHOWN]]
    if len(groups) > SHOWN:
        rows.append(f"  and {len(groups) - SHOWN} other causes: packhorse status {shlex.quote(run)}")
    if groups:
        rows.append(f"  output of one: packhorse logs {shlex.quote(run)} --task {groups[0].examples[0]}")
    return rows


def cause_line(group: dict[str, Any]) -> str:
    """Return one cause as a line."""
    its = "its" if group["count"] == 1 else "their"
    how = {"FAILED": "failed", "TIMEOUT": "timed out", "MEMORY": f"exceeded {its} memory"}
    text = how.get(group["outcome"], group["outcome"].lower())
    if group.get("signal") and group["outcome"] == "FAILED":  # a limit ends a task by a signal of the worker
        text += f" (signal {group['signal']})"
    elif group.get("exit"):
        text += f" (exit status {group['exit']})"
    cause = f": {group['message']}" if group.get("message") else ""
    shown = ", ".join(map(str, group["examples"][:3]))
    return f"{group['count']:,} {text}{cause}; task {shown}"
