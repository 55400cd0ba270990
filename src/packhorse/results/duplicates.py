"""The duplicate-seed warning: tasks with different seeds but identical floating-point output.

The rule avoids warnings where equal output has another explanation:

* Tasks are compared only within one point, that is among replicates and resamples. Two points with equal output
  may simply not depend on a parameter. A study with one task per point gets no warning.
* Two outputs are identical when all their float columns are, row by row, bit for bit.
* A float column counts as evidence only if one of the shared values has a fractional part, more than six
  significant digits, and is not a simple fraction: 29/30 correct classifications of a test set may well repeat.
* A float column that is constant at every point while other float columns vary is a function of the
  parameters (a true value, a theoretical bound) and not evidence. If all are constant, and a count or a text
  varies and repeats, that column has the randomness, and there is no warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse.model.space import ParameterSpace
from packhorse.text.amounts import counted
from packhorse.text.coincidence import is_evidence

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 5
MAX_GROUPS = 20_000  # groups of equal outputs to examine; with more, the counts are a lower bound


class DuplicateSeeds(Struct, frozen=True):
    """Tasks with the same output as a task with another seed: their number, examples, and the columns."""

    tasks: int
    compared: int
    groups: int
    examples: tuple[tuple[int, ...], ...]
    columns: tuple[str, ...]

    @property
    def message(self) -> str:
        """The warning, with both possible causes."""
        first = " and ".join(str(index) for index in self.examples[0][:2])
        return (
            f"{self.tasks:,} of {counted(self.compared, 'task')} have different seeds but identical output in "
            f"{', '.join(self.columns)} (for example tasks {first}): the script may not use its seed, "
            "or its result takes few values."
        )


def duplicate_seeds(table: pl.DataFrame, space: ParameterSpace) -> DuplicateSeeds | None:
    """Search a merged table for duplicate seeds; return None where there are none."""
    import polars as pl

    if space.replicates == 1 and not any(axis.resample for axis in space.arithmetic.axes):
        return None  # one task per point
    results = _results(table, space)
    floats = [name for name in results if table.schema[name] == pl.Float64]
    frame = table.with_columns(_point(space).alias("ph_point"))
    if not floats or _all_different(frame, floats):
        return None
    if frame["ph_index"].n_unique() == frame["ph_point"].n_unique():
        return None
    evidence = _evidence(frame, floats, [name for name in results if name not in floats])
    return _search(frame, floats, evidence) if evidence else None


def _results(table: pl.DataFrame, space: ParameterSpace) -> list[str]:
    """Return the columns of the script's results, without copies of its parameters."""
    given = {*space.names, "replicate", "seed"}
    copies = {f"{name}_result" for name in given}
    return [name for name in table.columns if name not in given | copies and not name.startswith("ph_")]


def _point(space: ParameterSpace) -> pl.Expr:
    """Return the number of a task's point, where all resamples of a point count as one."""
    import polars as pl

    rest = pl.col("ph_index") // space.replicates
    point = pl.lit(0, dtype=pl.Int64)
    weight = 1
    for axis in reversed(space.arithmetic.axes):
        if not axis.resample:
            point = point + rest % axis.count * weight
            weight *= axis.count
        rest = rest // axis.count
    return point


def _all_different(frame: pl.DataFrame, floats: list[str]) -> bool:
    """Return whether no two rows of a point are equal, which is the usual case and cheap to check."""
    import polars as pl

    bits = frame.select(pl.struct("ph_point", *_row(frame), *floats).hash()).to_series()
    return bits.n_unique() == frame.height


def _row(frame: pl.DataFrame) -> list[str]:
    """Return the column of row numbers within a task, in a list that is empty where each task has one row."""
    return ["ph_row"] if "ph_row" in frame.columns else []


def _evidence(frame: pl.DataFrame, floats: list[str], others: list[str]) -> list[str]:
    """Return the float columns whose equality is evidence of duplicate seeds."""
    import polars as pl

    names = floats + others
    # The rows of one task differ by design, so only rows with the same number in several tasks are compared.
    spread = frame.group_by("ph_point", *_row(frame)).agg(
        pl.len().alias("ph_n"), *(pl.col(name).n_unique() for name in names)
    )
    varying = [name for name in floats if (spread[name] > 1).any()]
    if varying:
        return varying
    # A column that never repeats (process ids, seconds) is not evidence of randomness in the computation.
    random = any(((spread[name] > 1) & (spread[name] < spread["ph_n"])).any() for name in others)
    return [] if random else floats


def _search(frame: pl.DataFrame, floats: list[str], evidence: list[str]) -> DuplicateSeeds | None:
    import polars as pl

    row = _row(frame)
    bits = pl.struct([*row, *(pl.col(name) for name in floats)]).hash().alias("ph_bits")
    tasks = frame.select("ph_index", "ph_point", "seed", bits, *evidence)
    if (
        row
    ):  # a task's output is all its rows; the wrapping sum of their hashes does not depend on their order
        firsts = (pl.col(name).first() for name in ("ph_point", "seed", *evidence))
        tasks = tasks.group_by("ph_index").agg(pl.col("ph_bits").sum(), *firsts)
    groups = (
        tasks.sort("ph_index")
        .group_by("ph_point", "ph_bits", maintain_order=True)
        .agg(
            pl.col("ph_index").head(EXAMPLES),
            pl.len().alias("ph_n"),
            pl.col("seed").n_unique().alias("ph_seeds"),
            *(pl.col(name).first() for name in evidence),
        )
        .filter((pl.col("ph_n") > 1) & (pl.col("ph_seeds") > 1))
    )
    duplicates = [
        g for g in groups.head(MAX_GROUPS).to_dicts() if any(is_evidence(g[name]) for name in evidence)
    ]
    if not duplicates:
        return None
    return DuplicateSeeds(
        tasks=sum(group["ph_n"] for group in duplicates),
        compared=tasks.height,
        groups=len(duplicates),
        examples=tuple(tuple(group["ph_index"]) for group in duplicates[:EXAMPLES]),
        columns=tuple(name for name in evidence if any(is_evidence(group[name]) for group in duplicates)),
    )
