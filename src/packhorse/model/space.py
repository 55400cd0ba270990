"""The parameter space of a study, computed lazily by the same arithmetic as in the worker."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from packhorse.model.study import Factor, Study
from packhorse.worker.space import Space, canonical, decimal, spelling, text

__all__ = ["Lookup", "ParameterSpace", "canonical", "decimal", "spelling", "text"]

FORMAT = "packhorse-space"
VERSION = 1


class ParameterSpace:
    """All tasks of a study by index: `space[i]` gives the parameters of task i, `lookup` finds its index."""

    def __init__(self, frozen: dict[str, Any]) -> None:
        self.frozen = frozen
        self.arithmetic = Space(frozen)

    @classmethod
    def of(cls, study: Study) -> ParameterSpace:
        """Return the space of a study, its factors frozen."""
        return cls(
            {
                "format": FORMAT,
                "version": VERSION,
                "seed": study.seed,
                "seeding": study.seeding,
                "replicates": study.replicates,
                "factors": msgspec.to_builtins(study.factors),
            }
        )

    @property
    def size(self) -> int:
        """The number of tasks."""
        return int(self.arithmetic.size)

    @property
    def points(self) -> int:
        """The number of points: combinations of parameters, without replicates."""
        return int(self.arithmetic.points)

    @property
    def replicates(self) -> int:
        """The number of replicates at each point."""
        return int(self.arithmetic.replicates)

    @property
    def names(self) -> list[str]:
        """The names of the parameters, in the order of the study."""
        return list(self.arithmetic.names)

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The frozen factors."""
        return msgspec.convert(self.frozen["factors"], tuple[Factor, ...])

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the parameters of the task at `index`."""
        if not 0 <= index < self.size:
            raise IndexError(index)
        return dict(self.arithmetic.parameters(index))

    def texts(self, index: int) -> dict[str, str]:
        """Return the parameters of the task at `index` as its author wrote them."""
        parameters, written, *_ = self.arithmetic.all_of(index)
        return {name: spelling(value, written.get(name)) for name, value in parameters.items()}

    def replicate(self, index: int) -> int:
        """Return the replicate of the task at `index`."""
        return index % self.replicates

    def key(self, index: int) -> str:
        """Return the identity of the task at `index`: its parameters and replicate as canonical JSON."""
        return str(self.arithmetic.key(index))

    def seeds(self, index: int) -> tuple[int, int]:
        """Return (seed, seed32) of the task at `index`: 63 and 31 bits."""
        seed, seed32 = self.arithmetic.seeds(index)
        return int(seed), int(seed32)

    def encode(self) -> bytes:
        """Return the content of the space file."""
        return msgspec.json.encode(self.frozen)

    @property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the space file's SHA-256."""
        return hashlib.sha256(self.encode()).hexdigest()[:16]

    def lookup(self) -> Lookup:
        """Return an index from parameters to tasks."""
        return Lookup(self)


class Lookup:
    """An index from parameters to tasks. It holds every frozen level, so build it once."""

    def __init__(self, space: ParameterSpace) -> None:
        self.space = space
        self.tables: list[dict[tuple[str, ...], int]] = []
        for axis in space.arithmetic.axes:
            # Ranges and chunks may have 10^9 levels; _arithmetic_level computes theirs.
            rows = axis.levels if axis.levels is not None else ()
            self.tables.append(
                {
                    tuple(canonical(n, v) for n, v in zip(axis.names, row, strict=True)): i
                    for i, row in enumerate(rows)
                }
            )

    def find(self, parameters: Mapping[str, Any], replicate: int) -> int | None:
        """Return the index of the task with these parameters and this replicate, or None."""
        if not 0 <= replicate < self.space.replicates or set(parameters) != set(self.space.names):
            return None
        point = 0
        for number, axis in enumerate(self.space.arithmetic.axes):
            level = self.level(number, tuple(parameters[name] for name in axis.names))
            if level is None:
                return None
            point = point * axis.count + level
        return point * self.space.replicates + replicate

    def level(self, number: int, values: tuple[Any, ...]) -> int | None:
        """Return which level of one axis has these values, or None; values are in the order of the axis's names."""
        axis = self.space.arithmetic.axes[number]
        if axis.levels is None:
            return _arithmetic_level(axis, values)
        return self.tables[number].get(
            tuple(canonical(n, v) for n, v in zip(axis.names, values, strict=True))
        )


def _arithmetic_level(axis: Any, values: tuple[Any, ...]) -> int | None:
    first = values[0]
    if isinstance(first, bool) or not isinstance(first, int | float) or first != int(first):
        return None
    if axis.range is not None:
        start, step, count = axis.range
        level, rest = divmod(int(first) - start, step)
        return level if rest == 0 and 0 <= level < count else None
    level = int(first)
    return level if 0 <= level < axis.count and tuple(axis.values(level)) == values else None


def inherit(new: ParameterSpace, old: ParameterSpace) -> ParameterSpace:
    """Return the new space, with each level that the old space has in the old form.

    A factor [1, 2] that becomes [1, 2, 2.5] then still gives its old tasks 1 and not 1.0. What commands get stays as
    the new study writes it.
    """
    known: dict[str, dict[str, Any]] = {}
    for axis in old.arithmetic.axes:
        for row in axis.levels or ():
            for name, value in zip(axis.names, row, strict=True):
                known.setdefault(name, {})[canonical(name, value)] = value
    factors = []
    for factor in new.frozen["factors"]:
        if factor.get("levels") is not None:
            rows = [
                [known.get(n, {}).get(canonical(n, v), v) for n, v in zip(factor["names"], row, strict=True)]
                for row in factor["levels"]
            ]
            factors.append(_respelled(factor, rows))
        else:
            factors.append(factor)
    return ParameterSpace({**new.frozen, "factors": factors})


def _respelled(factor: dict[str, Any], rows: list[list[Any]]) -> dict[str, Any]:
    """Return a factor with the levels `rows`, which are written as those that it had."""
    before = factor.get("written", {})
    written: dict[str, list[Any]] = {}
    for column, name in enumerate(factor["names"]):
        given = before.get(name) or [None] * len(rows)
        texts = [
            text(old[column]) if shown is None else shown
            for shown, old in zip(given, factor["levels"], strict=True)
        ]
        respelled_texts = [
            None if shown == text(row[column]) else shown for shown, row in zip(texts, rows, strict=True)
        ]
        if any(shown is not None for shown in respelled_texts):
            written[name] = respelled_texts
    respelled = {**factor, "levels": rows}  # the order of members counts for the digest
    if written:
        respelled["written"] = written
    else:
        respelled.pop("written", None)
    return respelled
