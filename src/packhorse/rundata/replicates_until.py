"""What a run has measured so far for `replicates: {until: ...}`: the file `until.json` of its directory."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.model.study import Until
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file

FILE = "until.json"
EFFECT = "the number of replicates depends on the results, so their Monte Carlo standard errors are slightly too small"


class Look(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One look at the results of `replicates` at each point: the cell that needs the most, its MCSE, and how many.

    `needed` is None where the cell has too few estimates to tell. `next` is the number of replicates that the run
    goes on to, 0 where it stops.
    """

    replicates: int
    cells: int
    cell: dict[str, Any]
    mcse: float | None = None
    needed: int | None = None
    next: int = 0


class UntilEnd(StrEnum):
    """Why no more replicates are added."""

    REACHED = "reached"
    AT_MOST = "at most"
    CANNOT_TELL = "cannot tell"


class UntilRecord(Struct, frozen=True, kw_only=True):
    """The stopping rule of a run, its looks, and its end; None while it goes on."""

    format: str = "packhorse-until"
    version: int = 1
    until: Until
    looks: tuple[Look, ...] = ()
    end: UntilEnd | None = None
    effect: str = EFFECT


def read_until(run: RunDirectory) -> UntilRecord | None:
    """Return the record of a run, None where it has none."""
    path = run.path / FILE
    return msgspec.json.decode(path.read_bytes(), type=UntilRecord) if path.exists() else None


def write_until(run: RunDirectory, record: UntilRecord) -> None:
    """Write the record of a run."""
    write_file(run.path / FILE, msgspec.json.format(msgspec.json.encode(record), indent=1))


def look_sentence(until: Until, look: Look) -> str:
    """Return what a look has found."""
    cell = ", ".join(f"{name}={value}" for name, value in look.cell.items())
    where = f" ({cell})" if cell else ""
    if look.needed is None or look.mcse is None:
        return f"the MCSE of {until.of} is not known{where}: there are too few estimates"
    sentence = f"the largest MCSE of {until.of} is {look.mcse:.2g}{where} with {look.replicates:,} replicates"
    if look.needed > look.replicates:
        return f"{sentence}; {until.mcse:g} needs about {look.needed:,}"
    return f"{sentence}, at most {until.mcse:g} as wished"


def end_sentence(record: UntilRecord) -> str:
    """Return why no more replicates are added, and what the rule means for the results."""
    sentence = look_sentence(record.until, record.looks[-1])
    if record.end is UntilEnd.AT_MOST:
        return f"{sentence}, and at_most is {record.until.at_most:,}"
    if record.end is UntilEnd.CANNOT_TELL:
        return f"{sentence}, so no replicates were added"
    if len(record.looks) == 1:
        return sentence
    earlier = ", ".join(f"{look.replicates:,}" for look in record.looks[:-1])
    return f"{sentence} (before: {earlier}); {record.effect}"
