"""The next wave of a run: find its tasks, plan it (pure), claim its number, write it."""

from __future__ import annotations

from msgspec.structs import replace

from packhorse.execution.preparation import project_now
from packhorse.execution.run_context import RunContext, wave_work
from packhorse.execution.run_model import PendingTasks, RetrySelection
from packhorse.model.errors import RunError
from packhorse.model.plan import Identity, Plan
from packhorse.plan.waves import IndexRange, count, joined, plan_wave
from packhorse.preflight.changed_code import code_change, mended, mended_sentence
from packhorse.preflight.compatibility import Changes, CodeChange
from packhorse.project.reporter import Reporter
from packhorse.results.fold import Fold
from packhorse.rundir.directory import now
from packhorse.worker.ranges import without


def unfinished(fold: Fold) -> list[IndexRange]:
    """Return the tasks without a final outcome: never finished, or cut off by a deadline."""
    return joined([*fold.missing(), *fold.ranges("UNFINISHED")])


def wanted(context: RunContext, ranges: list[IndexRange]) -> list[IndexRange]:
    """Return those of the tasks that the options allow to run."""
    only = context.options.only
    if only is None:
        return ranges
    return [(start, stop) for start, stop in without(ranges, without(ranges, only))]


def find_pending(context: RunContext, fold: Fold, reporter: Reporter) -> PendingTasks | None:
    """Return the tasks to run; None where there are none.

    Raises RunError where results of another code, environment or data would mix with theirs.
    """
    retry, latest, options = context.options.retry, context.latest, context.options
    ranges = wanted(context, unfinished(fold)) if retry is None else list(retry.ranges)
    if latest is None or options.fresh:
        return _pending(fold, ranges, context.prepared.identity, retry)
    change = code_change(
        context.run, latest, fold, project_now(context.source, context.space, context.prepared)
    )
    failed = 0
    if retry is None and options.failed == "run":
        now = context.prepared.identity
        then = replace(now, code=latest.code) if options.old_code else now
        again = wanted(context, mended(context.run, latest, fold, change, then))
        if options.trust_pickle and not context.run.work(latest.wave)["result"].get("trust_pickle"):
            again = wanted(context, fold.ranges("FAILED"))  # pickles may have been refused
        failed = count(again)
        if again:
            ranges = joined([*ranges, *again])
            refused = fold.refused()
            repeated = without(refused, without(refused, again))
            retry = RetrySelection(ranges=tuple(ranges), unreadable=tuple((a, b) for a, b in repeated))
    identity = _identity(context, fold, ranges, change, failed, reporter)
    if failed:
        reporter.say(mended_sentence(failed))
    same = _same_code(latest, identity, change)
    return _pending(fold, ranges, identity, retry, same)


def _pending(
    fold: Fold,
    ranges: list[IndexRange],
    identity: Identity,
    retry: RetrySelection | None,
    same_code: tuple[str, ...] = (),
) -> PendingTasks | None:
    if not ranges:
        return None
    return PendingTasks(fold=fold, ranges=ranges, identity=identity, retry=retry, same_code=same_code)


def _same_code(latest: Plan, identity: Identity, change: CodeChange) -> tuple[str, ...]:
    """Return the older snapshots that count as that of the next wave."""
    if identity.code == latest.code:
        return latest.same_code
    return () if change.matters else (*latest.same_code, latest.code)


def _identity(
    context: RunContext,
    fold: Fold,
    ranges: list[IndexRange],
    change: CodeChange,
    failed: int,
    reporter: Reporter,
) -> Identity:
    """Return the digests of code, environment and data that the next wave runs with."""
    current, latest, options = context.prepared.identity, context.latest, context.options
    if latest is None or not fold.counts["OK"]:
        return current
    old, new = context.run.space(latest.space).frozen, context.space.frozen
    changes = Changes(
        before=Identity(code=latest.code, environment=latest.environment, data=latest.data),
        now=current,
        seeds=tuple(name for name in ("seed", "seeding") if old[name] != new[name]),
        done=fold.counts["OK"],
        missing=count(ranges),
        failed=failed,
        command=f"packhorse run {context.source.path or context.run.path}",
        code=change,
    )
    return changes.settled(keep=options.keep, old_code=options.old_code, reporter=reporter)


def plan_next_wave(
    context: RunContext, pending: PendingTasks, *, wave: int, slots: int, unchecked: bool, created: str
) -> Plan:
    """Return the plan of a wave, whose first tasks fill `slots`. Pure: nothing is read or written."""
    fold, retry, identity = pending.fold, pending.retry, pending.identity
    before = {outcome: number for outcome, number in fold.counts.items() if outcome != "MISSING"}
    if retry is None:
        before.pop("UNFINISHED", None)  # all of them are in the new wave
    for first, end in pending.ranges if retry else ():
        for index in range(first, end):
            before[fold.state(index)] = before.get(fold.state(index), 0) - 1
    draft = Plan(
        wave=wave,
        kind="retry" if retry else "run",
        space=context.space.digest,
        code=identity.code,
        same_code=pending.same_code,
        environment=identity.environment,
        data=identity.data,
        total=context.space.size,
        tasks=count(pending.ranges),
        unreadable=retry.unreadable if retry else (),
        before={outcome: number for outcome, number in before.items() if number > 0},
        refused=count(fold.refused()) - count(retry.unreadable if retry else ()),
        first=context.first,
        unchecked=unchecked,
        own_seeds=context.own_seeds,
        created=created,
    )
    return plan_wave(draft, pending.ranges, slots=slots)


def claim_wave(context: RunContext) -> int:
    """Claim the next wave, here and where the run lives; return its number."""
    wave = context.run.claim_wave()
    if not context.target.claim_wave(wave):
        (context.run.path / "waves" / str(wave)).rmdir()
        raise RunError(
            "another command started a wave of this run at the same time",
            "run the same command again to follow it",
        )
    return wave


def start_wave(context: RunContext, pending: PendingTasks, *, slots: int, unchecked: bool) -> Plan:
    """Claim a wave and return its plan; `write_wave` writes it."""
    return plan_next_wave(
        context, pending, wave=claim_wave(context), slots=slots, unchecked=unchecked, created=now()
    )


def write_wave(context: RunContext, plan: Plan) -> None:
    """Write a wave, and remove what a killed command left of an older one."""
    context.run.write_wave(plan, wave_work(context, plan))
    context.run.clear_leftovers()
