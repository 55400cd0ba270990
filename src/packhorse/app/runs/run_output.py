"""The end of a run as `--json` prints it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from packhorse.execution.run_model import Detached, Outcome
from packhorse.model.json_output import JsonOutput


class RunResult(JsonOutput, frozen=True, kw_only=True, tag="packhorse-run/1"):
    """The end of a run."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    name: Annotated[str, Meta(description="The study's name.")]
    tasks: Annotated[int, Meta(description="Tasks of the study.")]
    done: Annotated[int, Meta(description="Tasks with a result.")]
    failed: Annotated[int, Meta(description="Tasks that failed.")]
    missing: Annotated[int, Meta(description="Tasks without an outcome.")]
    results: Annotated[str, Meta(description="Path of the table; empty: no task has a result.")]
    seconds: Annotated[float, Meta(description="Seconds that the command took.")]
    stopped: Annotated[str, Meta(description="Why it stopped before the last task; empty: it did not.")]


class DetachedRun(JsonOutput, frozen=True, kw_only=True, tag="packhorse-detach/1"):
    """A run that was submitted with --detach."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    name: Annotated[str, Meta(description="The study's name.")]
    site: Annotated[str, Meta(description="The site's name.")]
    job: Annotated[str, Meta(description="The job's number.")]
    tasks: Annotated[int, Meta(description="Tasks that were submitted.")]
    joined: Annotated[bool, Meta(description="Whether the run's jobs were submitted before.")]


def run_result(outcome: Outcome) -> RunResult:
    """Return the end of a run."""
    values = {name: getattr(outcome, name) for name in RunResult.__struct_fields__}
    return RunResult(**values | {"stopped": outcome.stopped or ""})


def detached_run(detached: Detached) -> DetachedRun:
    """Return a run that was submitted with --detach."""
    return DetachedRun(**asdict(detached))
