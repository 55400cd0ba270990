"""The state of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from packhorse.model.command import Command
from packhorse.project.task_filter import TaskFilter
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import RunStore
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundata.progress import tasks_done
from packhorse.rundir.directory import About, RunDirectory, find_run
from packhorse.rundir.lock import lock_holder
from packhorse.rundir.submissions import read_script_job

if TYPE_CHECKING:  # runs of this machine need none of it
    from packhorse.cluster.queue import Queue
    from packhorse.model.submission import Stopped
from packhorse.rundata.failures import cause_list


def status(
    where: Path, said: str | None, chosen: Sequence[str] = (), *, accounting: bool = False
) -> dict[str, Any]:
    """Return how a run stands, from the ends of its journals; with conditions, from all of them.

    With `accounting`, a site's accounting may be asked how jobs ended, where some ended badly.
    """
    run = find_run(where, said)
    about = run.about()
    own = read_script_job(run)
    if own is not None:
        from packhorse.cluster.script_job import script_job_status

        return script_job_status(run, own)
    store = open_store(run)
    with store.open():
        found = _status(run, about, store, chosen, accounting=accounting)
        return found | store.transferred()


def _status(
    run: RunDirectory, about: About, store: RunStore, chosen: Sequence[str], *, accounting: bool
) -> dict[str, Any]:
    """Return how a run stands; one that lives elsewhere is looked at there."""
    store.refresh(lambda: _queue_commands(store))
    if chosen:
        store.fetch_records()
    plan = run.latest()
    found: dict[str, Any] = {"run": str(run.path), "name": about.name, "tasks": 0, "waves": len(run.waves())}
    if plan is None:
        return found | {"state": "empty", "counts": {}}
    holder = lock_holder(run.path)
    if chosen:
        words = latest_outcomes(run)
        only = TaskFilter(words.space, chosen)
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
    jobs = _jobs(store, over, counts, accounting=accounting) if (run.path / "cluster.json").exists() else {}
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


def _queue_commands(store: RunStore) -> list[Command]:
    """Return the scheduler commands to start with the refresh of a run on a site."""
    from packhorse.cluster.queue import Queue

    return Queue(store.transport.site, store.transport).announced()


def _jobs(store: RunStore, over: str, counts: dict[str, int], *, accounting: bool) -> dict[str, Any]:
    """Return how a run's jobs stand on its site, what its waves brought, and the state that follows."""
    from packhorse.cluster.job_state import job_state, job_state_line
    from packhorse.cluster.queue import Queue
    from packhorse.rundir.submissions import Submissions

    run = store.run
    kept = Submissions(run)
    cluster, latest, stopped = kept.cluster(), kept.latest(), kept.stopped()
    if cluster is None or latest is None:
        return {}
    queue = Queue(cluster.site, store.transport)
    found = job_state(run, queue, queue.jobs())
    if found.alive and found.asked < kept.stopped_at():
        found = job_state(run, queue, queue.jobs(0))  # what was seen before it stopped says nothing
    state: str = "waiting" if found.state == "following" else found.state
    if found.state == "gone":
        cancelled = kept.cancelled or (stopped is not None and stopped.why == "cancelled")
        state = over if over == "done" else "cancelled" if cancelled else over if stopped else "lost"
    said = {
        name: getattr(found, name)
        for name in ("queued", "running", "at_a_time", "reason", "start", "needs", "follows", "silent")
    }
    said |= {"site": cluster.site.name, "job": latest.job, "numbers": list(found.numbers)}
    said["line"] = job_state_line(found)
    said |= _waves(run, queue if accounting else None, found.wave)
    gone = found.state == "gone"
    said |= _next(run, stopped, state, counts, gone=gone)
    return {"state": state, "jobs": said if gone else said | {"words": ""}}


def _waves(run: RunDirectory, queue: Queue | None, working: int) -> dict[str, Any]:
    """Return the waves of a run on a site, told where there is something to tell; a queue is asked how jobs ended."""
    from packhorse.cluster.wave_history import last_words, wave_lines, waves_of, with_endings

    waves = waves_of(run)
    if queue is not None:
        waves = with_endings(waves, run, queue, working)
    told = len(waves) > 1 or any(one.ended for one in waves)
    return {
        "waves": msgspec.to_builtins(waves),
        "story": wave_lines(waves) if told else [],
        "words": last_words(run, waves),
    }


def _next(
    run: RunDirectory, stopped: Stopped | None, state: str, counts: dict[str, int], *, gone: bool
) -> dict[str, Any]:
    """Return why nothing more is submitted, and what to type then; nothing of both while a run goes on."""
    from packhorse.cluster.next_step import next_step, why_stopped

    if stopped is not None:
        hint = next_step(run, stopped.why, counts, stopped.text)
        return {
            "stopped": msgspec.to_builtins(stopped),
            "why": why_stopped(stopped.why, stopped.text),
            "hint": hint,
        }
    return {"stopped": None, "why": "", "hint": next_step(run, state, counts) if gone else ""}
