"""The outcome of each task of a run, from its journals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.plan.waves import planned_ranges
from packhorse.results.fold import Fold, Retry, fold
from packhorse.results.index_map import map_indices
from packhorse.results.journal import Journal, Record, read_journal
from packhorse.rundata.unreadable import read_unreadable, refuse
from packhorse.rundir.directory import RunDirectory


def read_outcomes(
    run: RunDirectory,
    space: ParameterSpace,
    defaults: Mapping[str, Any],
    first: int = 1,
    *,
    merged: bool = True,
) -> Fold:
    """Fold all journals of a run; records of older spaces are matched by key, waves before `first` are ignored.

    With `merged`, tasks whose result the last merge could not read have failed.
    """
    journals = counted(run, first)
    if merged:
        refuse(journals, read_unreadable(run))
    digest = space.digest
    retries, older = [], set()
    for plan in run.plans():
        older |= {plan.space, plan.open} - {""}
        if plan.kind == "retry":
            retries.append(Retry(plan.wave, plan.space, planned_ranges(plan), plan.unreadable))
    carry = {}
    for old in older - {digest}:
        carry[old] = map_indices(run.space(old), space, defaults)
    return fold(space.size, journals, space=digest, carry=carry, retries=retries)


def counted(run: RunDirectory, first: int = 1) -> list[Journal]:
    """Read the journals of the waves that count."""
    found = [read_journal(path) for path in run.journals() if int(path.name.split("-", 1)[0]) >= first]
    return sorted(found, key=lambda journal: journal.order)


def artifacts_prefix(
    run: RunDirectory, latest: Plan | None, space: ParameterSpace, defaults: Mapping[str, Any]
) -> str:
    """Return what the next wave puts before indices in the names of folders in artifacts/.

    It is that of the newest plan, as long as every task whose files are kept there has its index still. When a study
    grows in its midst, indices shift, and the files of one task must not take the place of another's.
    """
    if latest is None:
        return ""
    prefix: str = run.work(latest.wave).get("prefix", "")
    if latest.space == space.digest:
        return prefix
    for journal in counted(run):
        if journal.header is None or journal.prefix != prefix or journal.header.space == space.digest:
            continue
        work = run.work(journal.header.wave)
        if not work["artifacts"] and not work["everything"]:
            continue
        place = map_indices(run.space(journal.header.space), space, defaults)
        records = (*journal.records(), *journal.stopped.values())
        if any(record.artifacts and place(record.index) != record.index for record in records):
            return f"{space.digest[:8]}-"
    return prefix


class Outcomes:
    """The newest plan of a run, the space of that plan, and the outcome of each task."""

    def __init__(
        self, run: RunDirectory, plan: Plan, defaults: Mapping[str, Any] | None = None, *, merged: bool = True
    ) -> None:
        self.run = run
        self.plan = plan
        self.space = run.space(plan.space)
        self.defaults = defaults or {}
        self.fold = read_outcomes(run, self.space, self.defaults, plan.first, merged=merged)

    def stopped(self, index: int) -> tuple[Journal, Record] | None:
        """Return what is kept of the last attempt of a task that was stopped without an outcome."""
        for journal in reversed(self.fold.journals):
            if not journal.stopped or journal.header is None:
                continue
            if journal.header.space == self.space.digest:
                record = journal.stopped.get(index)
            else:
                place = map_indices(self.run.space(journal.header.space), self.space, self.defaults)
                record = next((one for old, one in journal.stopped.items() if place(old) == index), None)
            if record is not None:
                return journal, record
        return None


def latest_outcomes(run: RunDirectory, *, merged: bool = True) -> Outcomes:
    """Return the outcomes of a run; raise RunError where it has no wave.

    With `merged`, tasks whose result the last merge could not read have failed.
    """
    plan = run.latest()
    if plan is None:
        raise run.no_wave_error()
    return Outcomes(run, plan, frozen_study(run).defaults, merged=merged)


def frozen_study(run: RunDirectory) -> Any:
    """Return the study as it was last planned."""
    return msgspec.json.decode((run.path / "study.json").read_bytes(), type=Study)
