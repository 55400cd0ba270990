"""Looking at runs: status, tasks, logs, causes, provenance. Nothing here writes."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from packhorse.app.carrier import Carrier, carrier_of
from packhorse.app.select import Chosen, one_task
from packhorse.app.waves import tasks_done
from packhorse.app.words import latest_words
from packhorse.model.errors import RunError
from packhorse.model.space import ParameterSpace
from packhorse.results.fold import Fold
from packhorse.run.directory import About, RunDirectory, find_run, list_runs
from packhorse.run.lock import held_by
from packhorse.run.ownjobs import own_job

if TYPE_CHECKING:  # runs of this machine need none of it
    from packhorse.app.queue import Queue
    from packhorse.model.submission import Stopped

SHOWN = 8  # causes that are shown


def status(
    where: Path, said: str | None, chosen: Sequence[str] = (), *, accounting: bool = False
) -> dict[str, Any]:
    """Return how a run stands, from the ends of its journals; with conditions, from all of them.

    With `accounting`, a site's accounting may be asked how jobs ended, where some ended badly.
    """
    run = find_run(where, said)
    about = run.about()
    own = own_job(run)
    if own is not None:
        from packhorse.app.ownruns import own_status

        return own_status(run, own)
    carrier = carrier_of(run)
    with carrier.open():
        found = _status(run, about, carrier, chosen, accounting=accounting)
        return found | ({"carried": carrier.carried()} if carrier.far else {})


def _status(
    run: RunDirectory, about: About, carrier: Carrier, chosen: Sequence[str], *, accounting: bool
) -> dict[str, Any]:
    """Return how a run stands; one that lives elsewhere is looked at there."""
    if carrier.far:
        from packhorse.app.queue import Queue

        carrier.look(*Queue(carrier.reach.site, carrier.reach).announced())
        if chosen:
            carrier.bring()
    plan = run.latest()
    found: dict[str, Any] = {"run": str(run.path), "name": about.name, "tasks": 0, "waves": len(run.waves())}
    if plan is None:
        return found | {"state": "empty", "counts": {}}
    holder = held_by(run.path)
    if chosen:
        words = latest_words(run)
        only = Chosen(words.space, chosen)
        counts: dict[str, int] = {}
        for index in only:
            state = words.fold.state(index)
            counts[state] = counts.get(state, 0) + 1
        total = sum(counts.values())
        counts.pop("MISSING", None)
    else:
        counts = dict(plan.before)
        for name, number in tasks_done(run, plan.wave).items():
            counts[name] = counts.get(name, 0) + number
        total = plan.total
    done = counts.get("OK", 0)
    failed = sum(number for name, number in counts.items() if name not in ("OK", "MISSING"))
    over = "done" if done + failed >= total else "incomplete"
    jobs = _jobs(carrier, over, counts, accounting=accounting) if (run.path / "cluster.json").exists() else {}
    state = "running" if holder is not None and not jobs else over
    found |= {
        "state": state,
        "process": holder,
        "tasks": total,
        "done": done,
        "failed": failed,
        "missing": max(0, total - done - failed),
        "counts": {name: number for name, number in counts.items() if number},
        "unchecked": plan.unchecked,
        "causes": cause_list(run) if failed else [],
    }
    return found | jobs


def _jobs(carrier: Carrier, over: str, counts: dict[str, int], *, accounting: bool) -> dict[str, Any]:
    """Return how a run's jobs stand on its site, what its waves brought, and the state that follows."""
    from packhorse.app.queue import Queue
    from packhorse.app.standing import standing, standing_line
    from packhorse.run.submissions import Submissions

    run = carrier.run
    kept = Submissions(run)
    cluster, latest, stopped = kept.cluster(), kept.latest(), kept.stopped()
    if cluster is None or latest is None:
        return {}
    queue = Queue(cluster.site, carrier.reach)
    found = standing(run, queue, queue.jobs())
    if found.alive and found.asked < kept.stopped_at():
        found = standing(run, queue, queue.jobs(0))  # what was seen before it stopped says nothing
    state: str = "waiting" if found.state == "following" else found.state
    if found.state == "gone":
        cancelled = kept.cancelled or (stopped is not None and stopped.why == "cancelled")
        state = over if over == "done" else "cancelled" if cancelled else over if stopped else "lost"
    said = {
        name: getattr(found, name)
        for name in ("queued", "running", "at_a_time", "reason", "start", "needs", "follows", "silent")
    }
    said |= {"site": cluster.site.name, "job": latest.job, "numbers": list(found.numbers)}
    said["line"] = standing_line(found)
    said |= _waves(run, queue if accounting else None, found.wave)
    gone = found.state == "gone"
    said |= _next(run, stopped, state, counts, gone=gone)
    return {"state": state, "jobs": said if gone else said | {"words": ""}}


def _waves(run: RunDirectory, queue: Queue | None, working: int) -> dict[str, Any]:
    """Return the waves of a run on a site, told where there is something to tell; a queue is asked how jobs ended."""
    from packhorse.app.story import last_words, story_lines, waves_of, with_endings

    waves = waves_of(run)
    if queue is not None:
        waves = with_endings(waves, run, queue, working)
    told = len(waves) > 1 or any(one.ended for one in waves)
    return {
        "waves": msgspec.to_builtins(waves),
        "story": story_lines(waves) if told else [],
        "words": last_words(run, waves),
    }


def _next(
    run: RunDirectory, stopped: Stopped | None, state: str, counts: dict[str, int], *, gone: bool
) -> dict[str, Any]:
    """Return why nothing more is submitted, and what to type then; nothing of both while a run goes on."""
    from packhorse.app.advice import next_step, why_stopped

    if stopped is not None:
        hint = next_step(run, stopped.why, counts, stopped.text)
        return {"stopped": msgspec.to_builtins(stopped), "why": why_stopped(stopped), "hint": hint}
    return {"stopped": None, "why": "", "hint": next_step(run, state, counts) if gone else ""}


def cause_list(run: RunDirectory) -> list[dict[str, Any]]:
    """Return why tasks failed: outcome, exit or signal, the last line of stderr, how many, and examples."""
    from packhorse.results.failures import causes, group
    from packhorse.results.journal import failed_attempts

    waves = run.waves()
    if len(waves) == 1:
        # No later wave can have overcome a failure, so the lines of the others need not be read.
        failed = [record for path in run.ends(waves[0]) for record in failed_attempts(path)]
        return [msgspec.to_builtins(one) for one in group((record.index, record) for record in failed)]
    return [msgspec.to_builtins(one) for one in causes(latest_words(run).fold)]


def failure_lines(fold: Fold, run: str) -> list[str]:
    """Return the causes as lines, the commonest first."""
    from packhorse.results.failures import causes

    groups = causes(fold)
    rows = ["  " + cause_line(msgspec.to_builtins(group)) for group in groups[:SHOWN]]
    if len(groups) > SHOWN:
        rows.append(f"  and {len(groups) - SHOWN} other causes: packhorse status {shlex.quote(run)}")
    if groups:
        rows.append(f"  to see one: packhorse logs {shlex.quote(run)} --task {groups[0].examples[0]}")
    return rows


def cause_line(group: dict[str, Any]) -> str:
    """Return one cause as a line."""
    how = {"FAILED": "failed", "TIMEOUT": "timed out", "MEMORY": "took too much memory"}
    said = how.get(group["outcome"], group["outcome"].lower())
    if group.get("signal") and group["outcome"] == "FAILED":  # a limit ends a task by a signal of ours
        said += f" (signal {group['signal']})"
    elif group.get("exit"):
        said += f" (exit status {group['exit']})"
    cause = f": {group['message']}" if group.get("message") else ""
    shown = ", ".join(map(str, group["examples"][:3]))
    return f"{group['count']:,} {said}{cause}; task {shown}"


def runs(where: Path) -> list[dict[str, Any]]:
    """Return how all runs here stand, the newest first."""
    found = []
    for run in list_runs(where):
        try:
            found.append(status(where, str(run.path)))
        except (RunError, msgspec.MsgspecError, OSError) as error:
            found.append(
                {"run": str(run.path), "name": run.path.name, "state": "unreadable", "why": str(error)}
            )
    return found


def logs(
    where: Path, said: str | None, task: int | None, chosen: Sequence[str], *, failed: bool
) -> list[tuple[int, str]]:
    """Return (index, what it printed) of one task, or of up to twenty that failed."""
    run = find_run(where, said)
    carrier_of(run).bring()
    words = latest_words(run)
    if task is None and (failed or not chosen):
        only = Chosen(words.space, chosen)
        ranges = only.within(words.fold.ranges("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED"))
        indices = [index for a, b in ranges for index in range(a, b)][:20]
    else:
        indices = [one_task(words.space, task, chosen)]
    return [(index, log_of(run, words.fold, index)) for index in indices]


def log_of(run: RunDirectory, fold: Fold, index: int) -> str:
    """Return what the attempt with the word on a task printed."""
    found = fold.record(index)
    if found is None:
        return "this task has not finished yet"
    journal, record = found
    if not record.log or journal.header is None:
        return "(it printed nothing beside its result)"
    with (run.path / "logs" / journal.header.log).open("rb") as stream:
        stream.seek(record.log[0])
        return stream.read(record.log[1]).decode("utf-8", "replace")


def explain(where: Path, said: str | None, task: int | None, chosen: Sequence[str]) -> dict[str, Any]:
    """Return what a task ran, where, with what, and how to repeat it by hand."""
    run = find_run(where, said)
    carrier = carrier_of(run)
    carrier.bring()
    words = latest_words(run)
    index = one_task(words.space, task, chosen)
    found = words.fold.record(index)
    seed, seed32 = words.space.seeds(index)
    wave = found[0].order[0] if found else words.plan.wave
    answer: dict[str, Any] = {
        "run": str(run.path),
        "task": index,
        "parameters": words.space[index],
        "replicate": words.space.replicate(index),
        "seed": seed,
        "seed32": seed32,
        "key": words.space.key(index),
        "state": words.fold.state(index),
        "wave": wave,
    }
    plan, work = run.plan(wave), run.work(wave)
    answer |= {"code": f"code-{plan.code}.tar", "environment": plan.environment, "python": work["python"][0]}
    if found:
        journal, record = found
        about = {
            name: getattr(record, name) for name in record.__struct_fields__ if name not in ("json", "text")
        }
        kept = {name: value for name, value in about.items() if value not in (None, "", msgspec.UNSET)}
        answer["record"] = kept
        answer["host"] = journal.header.host if journal.header else ""
        answer["journal"] = journal.path.name
    answer["site"] = carrier.reach.site.name if carrier.far else ""
    answer["repeat"] = repeat(carrier.path, work, words.space, index)
    return answer


def repeat(run: str, work: dict[str, Any], space: ParameterSpace, index: int) -> list[str]:
    """Return the lines of a shell that run one task again by hand, where the run's directory is."""
    from packhorse.worker.fill import Task, environment, fill
    from packhorse.worker.place import Place
    from packhorse.worker.workfile import complete

    full = complete(work, run)
    place = Place(str(Path(tempfile.gettempdir()) / f"packhorse-{work['run']}-{index}"), 0, full)
    task = Task(full, space.arithmetic, place, index)
    rows = [
        f"mkdir -p {shlex.quote(place.code)} {shlex.quote(place.scratch)}",
        f"tar -xf {shlex.quote(run + '/' + work['snapshot'])} -C {shlex.quote(place.code)}",
        f"cd {shlex.quote(place.folder)}",
    ]
    rows += [f"ln -sfn {shlex.quote(target)} {shlex.quote(name)}" for name, target in work["links"]]
    search = ":".join([*place.search, full["library"]])
    changed = {**work["environ"], **environment(task, {}), "PYTHONPATH": search}
    rows += [f"export {name}={shlex.quote(value)}" for name, value in changed.items()]
    if work["function"]:
        said = work["function"]
        arguments = ", ".join(f"{name}={value!r}" for name, value in task.parameters.items())
        code = f"import {said['module']}; print({said['module']}.{said['name']}({arguments}))"
        rows.append(shlex.join([*work["python"], "-c", code]))
    else:
        rows.append(shlex.join(fill(parts, task) for parts in work["command"]))
    return rows


def provenance(where: Path, said: str | None) -> dict[str, Any]:
    """Return the provenance of a run, with its waves and checks."""
    run = find_run(where, said)
    file = run.path / "provenance.json"
    if not file.exists():
        raise run.unplanned()
    found: dict[str, Any] = msgspec.json.decode(file.read_bytes())
    found["waves"] = [
        {
            name: getattr(plan, name)
            for name in ("wave", "kind", "tasks", "code", "environment", "data", "unchecked", "created")
        }
        for plan in run.plans()
    ]
    checks = run.path / "checks.json"
    found["checks"] = list(msgspec.json.decode(checks.read_bytes()).values()) if checks.exists() else []
    return found
