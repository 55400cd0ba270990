"""Report a run: merge its table and collect what the user needs to know."""

from __future__ import annotations

import time

from packhorse.execution.missing_inputs import missing_inputs
from packhorse.execution.run_context import RunContext
from packhorse.execution.run_model import Outcome, RunReport
from packhorse.rundata.progress import EndReason, WaveEnd
from packhorse.rundata.table import has_results, merge_table, table_notes


def report_run(context: RunContext, end: WaveEnd | None, *, finished_before: int, began: float) -> Outcome:
    """Merge the table and return the outcome of a call of `run`.

    `finished_before` is the number of tasks that had an outcome when the call began; `began` is its start on
    the monotonic clock, in seconds.
    """
    run, space, study = context.run, context.space, context.study
    fold = context.fold(merged=False)
    latest = run.latest()  # with --old-code its code is not the current one
    merged = merge_table(run, space, fold, study, latest)
    unreadable = len(merged.unreadable)
    failed = sum(number for outcome, number in fold.counts.items() if outcome not in ("OK", "MISSING"))
    cause = end.cause if end else ""
    artifacts = run.path / "artifacts"
    return Outcome(
        run=str(run.path),
        name=study.name,
        tasks=space.size,
        done=fold.counts["OK"] - unreadable,
        failed=failed + unreadable,
        missing=fold.counts["MISSING"],
        ran=max(0, fold.size - fold.counts["MISSING"] - finished_before),
        seconds=round(time.monotonic() - began, 3),
        results=str(run.path / "results.parquet") if merged.rows else "",
        stopped=None if end is None or end.how is EndReason.DONE else end.how,
        report=RunReport(
            end=end,
            fold=fold,
            merge=merged,
            notes=tuple(table_notes(merged, space, study, run, fold)),
            missing_inputs=tuple(missing_inputs(fold, context.source, context.prepared, cause)),
            git=context.prepared.provenance["git"],
            summary=study.summary is not None,
            has_results=has_results(merged, space),
            kept=tuple(sorted(path for path in artifacts.rglob("*") if path.is_file()))
            if context.options.everything
            else None,
        ),
    )
