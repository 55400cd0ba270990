"""Checks of any table that need no mathematics of its study: missing tasks and values, seeds, outliers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from packhorse.check.finding import Finding, Verdict, number
from packhorse.check.tables import cell_name, cells, factors_of, read_table, result_columns
from packhorse.model.errors import UsageError
from packhorse.text.amounts import counted
from packhorse.text.coincidence import is_evidence

SHOWN = 3  # places in a sentence
FAR = 100.0  # interquartile ranges
RESULTS = "no threshold: one is too many"


def complete(
    table: Any, by: Sequence[str] | None = None, *, replicates: int, points: int | None = None
) -> Finding:
    """Compare the tasks of a table with those expected: `replicates` in each cell.

    The table must have `points` cells (default: those present).
    A task is counted once, however many rows it has.
    """
    frame = read_table(table)
    groups = _by(frame, by)
    task = [name for name in ("ph_index", "replicate") if name in frame.columns][:1]
    present = frame.select(*groups, *(name for name in task if name not in groups))
    present = present.unique() if task else present
    counts = present.group_by(groups, maintain_order=True).len() if groups else present.select(pl.len())
    wanted = replicates * (counts.height if points is None else points)
    absent = points - counts.height if points is not None else 0
    short = counts.filter(pl.col("len") != replicates)
    found = int(counts["len"].sum())
    details = tuple(short.to_dicts())
    sentence = f"{found:,} of {counted(wanted, 'expected task')} are present"
    if short.height:
        places = (
            f"{cell_name(row)}: {row_len} of {replicates}"
            for row_len, row in map(_split, short.head(SHOWN).to_dicts())
        )
        sentence += f"; {'; '.join(places)}{_more(short.height)}"
    if absent > 0:
        sentence += f"; {counted(absent, 'cell')} without any"
    return Finding(
        check="expected tasks",
        compared=f"the tasks of the table with {replicates:,} in each cell",
        verdict=Verdict.PASS if not short.height and absent == 0 else Verdict.FAIL,
        sentence=sentence,
        statistic=float(wanted - found),
        threshold=0.0,
        source=RESULTS,
        details=details,
    )


def _split(row: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return row["len"], {name: value for name, value in row.items() if name != "len"}


def _by(frame: pl.DataFrame, by: Sequence[str] | None) -> list[str]:
    groups = factors_of(frame) if by is None else list(by)
    for name in groups:
        if name not in frame.columns:
            raise UsageError(
                f"the table has no column {name!r}", f"its columns are: {', '.join(frame.columns)}"
            )
    return groups


def _more(number_of: int) -> str:
    return f"; and {number_of - SHOWN} more" if number_of > SHOWN else ""


def finite(
    table: Any, by: Sequence[str] | None = None, *, of: Sequence[str] = (), converged: str = ""
) -> Finding:
    """Count missing values, NaN and infinities of the results, by cell and column.

    Rows whose column `converged` is false are counted as failed convergence, which does not fail this check.
    """
    frame = read_table(table)
    groups = _by(frame, by)
    names = list(of) or [name for name in result_columns(frame, groups) if name != converged]
    failed = 0
    if converged:
        ok = _truth(frame, converged)
        failed = int((~ok).sum())
        frame = frame.filter(ok)
    wide = frame.select(*groups, *(_bad(frame, name).alias(f"ph_bad{at}") for at, name in enumerate(names)))
    sums = [pl.col(f"ph_bad{at}").sum() for at in range(len(names))]
    counts = wide.group_by(groups, maintain_order=True).agg(*sums) if groups else wide.select(*sums)
    details = [
        {"cell": {name: row[name] for name in groups}, "column": name, "count": row[f"ph_bad{at}"]}
        for row in counts.iter_rows(named=True)
        for at, name in enumerate(names)
        if row[f"ph_bad{at}"]
    ]
    total = sum(one["count"] for one in details)
    details.sort(key=lambda one: -one["count"])
    places = "; ".join(
        f"{one['column']} at {cell_name(one['cell'])}: {one['count']:,}" for one in details[:SHOWN]
    )
    sentence = f"{counted(total, 'value')} missing, NaN or infinite in {counted(frame.height, 'row')}"
    sentence += f": {places}{_more(len(details))}" if details else ""
    sentence += f"; {counted(failed, 'row')} did not converge" if converged else ""
    return Finding(
        check="finite results",
        compared=f"values of {', '.join(names) or 'no column'} with finite numbers",
        verdict=Verdict.FAIL if total else (Verdict.PASS if names and frame.height else Verdict.UNDECIDED),
        sentence=sentence,
        statistic=float(total),
        threshold=0.0,
        source=RESULTS,
        details=tuple(details),
    )


def _truth(frame: pl.DataFrame, name: str) -> pl.Series:
    if name not in frame.columns:
        raise UsageError(f"the table has no column {name!r}", f"its columns are: {', '.join(frame.columns)}")
    return (frame[name].cast(pl.String).str.to_lowercase().is_in(["true", "1", "1.0"])).fill_null(value=False)


def _bad(frame: pl.DataFrame, name: str) -> pl.Expr:
    column = pl.col(name)
    if frame.schema[name].is_float():
        return column.is_null() | ~column.is_finite().fill_null(value=True)
    return column.is_null()


def seeds_differ(table: Any, by: Sequence[str] | None = None, *, seed: str = "seed") -> Finding:
    """Look for tasks with the same seed. One seed for each replicate in all cells is common random numbers, and right.

    Raises UsageError where there is no column of seeds.
    """
    frame = read_table(table)
    groups = _by(frame, by)
    if seed not in frame.columns:
        raise UsageError(
            f"the table has no column of seeds {seed!r}", f"its columns are: {', '.join(frame.columns)}"
        )
    marks = [name for name in ("ph_index", "replicate") if name in frame.columns and name not in groups]
    tasks = frame.select(*groups, *marks, seed)
    if marks:
        tasks = tasks.unique(maintain_order=True)
    inside = (
        tasks.filter(pl.struct(*groups, seed).is_duplicated())
        if groups
        else tasks.filter(pl.col(seed).is_duplicated())
    )
    shared = tasks.filter(pl.col(seed).is_duplicated())
    common = (
        "replicate" in tasks.columns
        and shared.height > 0
        and tasks.group_by("replicate").agg(pl.col(seed).n_unique())[seed].max() == 1
    )
    if tasks.height < 2:
        verdict, sentence = Verdict.UNDECIDED, "fewer than two tasks"
    elif inside.height:
        first = inside.row(0, named=True)
        cell = cell_name({name: first[name] for name in groups})
        verdict = Verdict.FAIL
        share = f"{counted(inside.height, 'task')} share a seed with another of the same cell"
        sentence = f"{share}, for example {first[seed]} at {cell}"
    elif common:
        verdict, sentence = Verdict.PASS, "all cells of a replicate share one seed (common random numbers)"
    elif shared.height:
        verdict = Verdict.FAIL
        sentence = (
            f"{counted(shared.height, 'task')} share a seed with another cell, for example {shared[seed][0]}"
        )
    else:
        verdict, sentence = Verdict.PASS, f"{counted(tasks.height, 'task')} have different seeds"
    return Finding(
        check="different seeds",
        compared="the seeds of tasks with each other",
        verdict=verdict,
        sentence=sentence,
        statistic=float(inside.height or (0 if common else shared.height)),
        threshold=0.0,
        source=RESULTS,
    )


def seed_used(table: Any, by: Sequence[str] | None = None, *, of: Sequence[str] = ()) -> Finding:
    """Look for replicates of a cell with identical results: a script that ignores its seed, or seeds that collide.

    Only floating-point results with many digits are evidence, since counts and simple fractions repeat by chance.
    Columns that are constant in every cell are functions of the parameters, unless all are.
    """
    frame = read_table(table)
    groups = _by(frame, by)
    names = [one for one in list(of) or result_columns(frame, groups) if frame.schema[one].is_float()]
    rows = [name for name in ("ph_row",) if name in frame.columns]
    keyed = frame.select(*groups, *rows, *names, pl.lit(0).alias("ph_all"))
    keys = [*groups, *rows, "ph_all"]
    cells_with = keyed.group_by(keys).agg(
        pl.len().alias("ph_n"), *(pl.col(name).n_unique() for name in names)
    )
    repeated = cells_with.filter(pl.col("ph_n") > 1)
    varying = [name for name in names if (repeated[name] > 1).any()] or names
    if not varying or not repeated.height:
        return _seed_finding(Verdict.UNDECIDED, "no cell has two replicates with floating-point results", 0)
    groups_of = keyed.group_by([*keys, *varying]).len().filter(pl.col("len") > 1)
    evidence = groups_of.filter(
        pl.any_horizontal(
            *(pl.col(name).map_elements(is_evidence, pl.Boolean).fill_null(value=False) for name in varying)
        )
    )
    number_of = int(evidence["len"].sum())
    if not number_of:
        return _seed_finding(Verdict.PASS, f"no two replicates of a cell agree in {', '.join(varying)}", 0)
    cell = cell_name({name: evidence.row(0, named=True)[name] for name in groups})
    sentence = f"{number_of:,} of {counted(frame.height, 'row')} repeat another of their cell in {', '.join(varying)}"
    return _seed_finding(
        Verdict.FAIL, f"{sentence}, for example at {cell}: the script may ignore its seed", number_of
    )


def _seed_finding(verdict: Verdict, sentence: str, statistic: int) -> Finding:
    return Finding(
        check="seed is used",
        compared="results of replicates with each other",
        verdict=verdict,
        sentence=sentence,
        statistic=float(statistic),
        threshold=0.0,
        source=RESULTS,
    )


def outliers(
    table: Any, by: Sequence[str] | None = None, *, of: Sequence[str] = (), limit: float = FAR
) -> Finding:
    """Look for values that are more than `limit` interquartile ranges from the median of their cell.

    The default is 100: the farthest of 10,000 normal values is at 3, of t values with three degrees of freedom at
    about 25.
    """
    frame = read_table(table)
    groups = _by(frame, by)
    names = [one for one in list(of) or result_columns(frame, groups) if frame.schema[one].is_float()]
    details: list[dict[str, Any]] = []
    for cell, part in cells(frame, groups):
        for name in names:
            found = _farthest(part, name)
            if found:
                details.append({"cell": cell, "column": name, **found})
    details.sort(key=lambda one: -one["distance"])
    if not details:
        verdict, sentence = Verdict.UNDECIDED, "no cell has ten different floating-point results"
    else:
        first = details[0]
        place = f"{first['column']} = {number(first['value'])} at {cell_name(first['cell'])}{first['task']}"
        sentence = f"the farthest value is {number(first['distance'], 3)} interquartile ranges from its median: {place}"
        verdict = Verdict.FAIL if first["distance"] > limit else Verdict.PASS
    return Finding(
        check="outliers",
        compared=f"values of {', '.join(names) or 'no column'} with the median of their cell",
        verdict=verdict,
        sentence=sentence,
        statistic=details[0]["distance"] if details else None,
        threshold=limit,
        source="interquartile ranges; the default is beyond what t values with three degrees of freedom reach",
        details=tuple(details[:20]),
    )


def _farthest(part: pl.DataFrame, name: str) -> dict[str, Any] | None:
    values = part.filter(pl.col(name).is_finite().fill_null(value=False))
    if values.height < 10:
        return None
    column = values[name]
    middle, low, high = column.median(), column.quantile(0.25), column.quantile(0.75)
    if low is None or high is None or not high > low:
        return None
    distances = (column - middle).abs() / (high - low)
    at = distances.arg_max()
    assert at is not None
    task = f", task {values['ph_index'][at]}" if "ph_index" in values.columns else ""
    return {"value": column[at], "distance": float(distances[at]), "task": task}
