"""Whether each parameter changes a result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
from scipy import stats

from packhorse.check.finding import Finding, Verdict, number
from packhorse.check.tables import factors_of, read_table, result_columns

MOST = 200  # tests for each parameter
CERTAIN = 0.001  # adjusted p-value of a difference


def parameters_used(
    table: Any, by: Sequence[str] | None = None, *, of: Sequence[str] = (), paired: bool = False
) -> list[Finding]:
    """Return a finding for each parameter with two levels or more: whether it changes any result.

    With one row in each cell, or `paired` replicates (common random numbers), a parameter whose levels have identical
    results changes nothing, and fails. With independent seeds, it passes if the distribution of a result differs
    between two levels, with all other parameters equal (Kolmogorov-Smirnov test at 0.001, adjusted by Bonferroni);
    else the check cannot tell.
    """
    frame = read_table(table)
    groups = list(factors_of(frame) if by is None else by)
    names = list(of) or result_columns(frame, groups)
    if "ph_row" in frame.columns:
        frame = frame.filter(pl.col("ph_row") == 0)
    alone = not frame.select(groups).is_duplicated().any() if groups else True
    found = []
    for name in groups:
        if frame[name].n_unique() > 1:
            others = [one for one in groups if one != name]
            exact = alone or (paired and "replicate" in frame.columns)
            keys = [*others, *(["replicate"] if exact and not alone else [])]
            found.append(
                _exact(frame, name, keys, names) if exact else _by_distribution(frame, name, keys, names)
            )
    return found


def _exact(frame: pl.DataFrame, name: str, others: list[str], names: list[str]) -> Finding:
    keyed = frame.with_columns(pl.lit(0).alias("ph_all"))
    counts = keyed.group_by([*others, "ph_all"]).agg(
        pl.col(name).n_unique().alias("ph_levels"), *(pl.col(one).n_unique() for one in names)
    )
    several = counts.filter(pl.col("ph_levels") > 1)
    changes = sum(1 for one in names if (several[one] > 1).any())
    if not several.height or not names:
        return _finding(
            name,
            Verdict.UNDECIDED,
            "no other cell differs in this parameter alone",
            None,
            "identical results",
        )
    if not changes:
        text = f"results are identical at all {frame[name].n_unique()} levels: the script may ignore it"
        return _finding(name, Verdict.FAIL, text, 0.0, "identical results")
    return _finding(
        name,
        Verdict.PASS,
        f"it changes {changes} of {len(names)} results",
        float(changes),
        "identical results",
    )


def _by_distribution(frame: pl.DataFrame, name: str, others: list[str], names: list[str]) -> Finding:
    tested = [(p, one) for p, one in _tests(frame, name, others, names)]
    source = "Kolmogorov-Smirnov tests, adjusted by Bonferroni"
    if not tested:
        return _finding(name, Verdict.UNDECIDED, "too few replicates to see an effect", None, source)
    smallest, column = min(tested)
    adjusted = min(1.0, smallest * len(tested))
    if adjusted < CERTAIN:
        return _finding(
            name, Verdict.PASS, f"it changes {column} (adjusted p {number(adjusted, 2)})", adjusted, source
        )
    text = f"no effect on any result is visible (smallest adjusted p {number(adjusted, 2)})"
    return _finding(name, Verdict.UNDECIDED, text, adjusted, source)


def _tests(
    frame: pl.DataFrame, name: str, others: list[str], names: list[str]
) -> Iterator[tuple[float, str]]:
    """Yield p-values of the first and the last level, by result and stratum of the other parameters."""
    strata = frame.partition_by(others, maintain_order=True) if others else [frame]
    done = 0
    for part in strata:
        levels = part[name].unique(maintain_order=True)
        if len(levels) < 2:
            continue
        for column in names:
            first, last = (
                part.filter(pl.col(name) == level)[column]
                .cast(pl.Float64)
                .drop_nulls()
                .drop_nans()
                .to_numpy()
                for level in (levels[0], levels[-1])
            )
            if min(first.size, last.size) >= 5 and done < MOST:
                done += 1
                yield float(stats.ks_2samp(first, last, method="asymp").pvalue), column


def _finding(name: str, verdict: Verdict, sentence: str, statistic: float | None, source: str) -> Finding:
    return Finding(
        check=f"parameter {name} is used",
        compared=f"results at the levels of {name}",
        verdict=verdict,
        sentence=sentence,
        statistic=statistic,
        threshold=CERTAIN if statistic is not None else None,
        source=source,
    )
