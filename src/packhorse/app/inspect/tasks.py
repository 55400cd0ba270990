"""Every task of a run: its parameters, its state, and how the attempt that counts went."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packhorse.project.task_filter import TaskFilter
from packhorse.remote.last_known import fetch_or_note
from packhorse.remote.open_store import open_store
from packhorse.results.fold import MISSING, Fold
from packhorse.results.journal import OUTCOMES
from packhorse.results.parameter_columns import parameter_columns
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.directory import find_run

if TYPE_CHECKING:
    import polars as pl

ATTEMPT = ("wall", "cpu", "memory", "attempt", "exit", "signal", "cause")


def tasks(where: Path, name: str | None, conditions: Sequence[str]) -> pl.DataFrame:
    """Return a row for each task of a run that meets the conditions, in the order of their indices.

    Columns: `index`, the parameters, `replicate`, `seed`, `state`, `wave`, `host`, and of the attempt `wall` and `cpu`
    in seconds, `memory` in KiB, `attempt`, `exit`, `signal`, `cause`; empty for tasks without an outcome.
    """
    import polars as pl

    run = find_run(where, name)
    store = open_store(run)
    fetch_or_note(store, store.fetch_records)
    outcomes = latest_outcomes(run)
    space = outcomes.space
    index = pl.Series("index", list(TaskFilter(space, conditions)), dtype=pl.Int64)
    seeds = pl.Series("seed", [space.seeds(at)[0] for at in index], dtype=pl.Int64)
    chosen = pl.DataFrame(
        [index, *parameter_columns(space, index), (index % space.replicates).alias("replicate"), seeds]
    )
    return chosen.join(_attempts(outcomes.fold), on="index", how="left", maintain_order="left").with_columns(
        pl.col("state").fill_null(MISSING)
    )


def _attempts(fold: Fold) -> pl.DataFrame:
    """Return index, state, wave, host and the numbers of each attempt that decides a task."""
    import polars as pl

    columns: dict[str, list[Any]] = {name: [] for name in ("index", "state", "wave", "host", *ATTEMPT)}
    for journal, indices, lines in fold.winners(*OUTCOMES):
        header = journal.header
        assert header is not None, "records are read only after a good header"
        for index, record in zip(indices, journal.records(lines), strict=True):
            values = (
                index,
                record.outcome,
                header.wave,
                header.host,
                *(getattr(record, name) for name in ATTEMPT),
            )
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    types: dict[str, Any] = dict.fromkeys(columns, pl.Int64)
    types.update(
        dict.fromkeys(("state", "host", "cause"), pl.String),
        wall=pl.Float64,
        cpu=pl.Float64,
        memory=pl.Float64,
    )
    return pl.DataFrame(columns, schema=types).with_columns(pl.col("memory").cast(pl.Int64))
