"""The queues of a site: free resources, limits, the user's rights, and where a job would start soonest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from packhorse.cluster.queue import Queue
from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.model.job import SubmissionRefused
from packhorse.model.json_output import JsonOutput
from packhorse.model.queues import QueueState, Start
from packhorse.model.site import Site
from packhorse.project.cache_dir import cache_dir
from packhorse.project.user_sites import with_jobs
from packhorse.remote.transport import transport_for
from packhorse.rundir.shared_reply import SharedReply
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers.scheduler import NoReply
from packhorse.text.amounts import counted, span

TRIALS = 8  # queues of which the scheduler is queried for the start of a test job
AT_ONCE = 90  # seconds
TITLES = ("queue", "idle cores", "idle nodes", "usual time", "longest", "may I", "")
NOW = Command(argv=("date", "+%Y-%m-%dT%H:%M:%S"))


class QueueNow(Struct, frozen=True, kw_only=True):
    """A queue, with remarks of the site's file."""

    state: Annotated[QueueState, Meta(description="The queue as the scheduler reports it.")]
    remarks: Annotated[tuple[str, ...], Meta(description="What its purpose and its rules are.")] = ()
    start: Annotated[
        str, Meta(description="When a job of one core and an hour would start, ISO 8601; empty: not known.")
    ] = ""
    refused: Annotated[str, Meta(description="Why the scheduler would refuse such a job.")] = ""
    usual: Annotated[bool, Meta(description="Whether a job without special needs belongs there.")] = True


class SiteQueues(JsonOutput, frozen=True, kw_only=True, tag="packhorse-queues/1"):
    """All queues of a site."""

    site: Annotated[str, Meta(description="The site's name.")]
    asked: Annotated[float, Meta(description="When the scheduler was queried, in Unix seconds.")]
    queues: Annotated[tuple[QueueNow, ...], Meta(description="The queues.")]
    notes: Annotated[tuple[str, ...], Meta(description="Why a part of the answer is missing.")] = ()
    soonest: Annotated[str, Meta(description="Where a job would start soonest, as a sentence.")] = ""


class Reply(Struct, frozen=True, kw_only=True):
    """The replies of a scheduler, cached for the site's poll interval."""

    now: str  # the site's own time
    states: tuple[QueueState, ...]
    starts: dict[str, str]
    refused: dict[str, str]
    silent: str = ""  # why it does not report when jobs start


def site_queues(folder: Path, name: str) -> SiteQueues:
    """Return the queues of a site; raise RunError where the scheduler does not answer."""
    site = with_jobs(name, folder)
    queue = Queue(site, transport_for(site))
    shared = SharedReply(cache_dir() / f"partitions-{site.name}.json")
    asked, reply = shared.get(site.poll, lambda: _reached(queue))
    if isinstance(reply, str):
        raise RunError(
            f"the scheduler of {site.name} does not answer: {reply}", "run this command again later"
        )
    found = msgspec.convert(reply, Reply)
    queues = tuple(_now(site, state, found) for state in found.states if _shown(state))
    return SiteQueues(
        site=site.name,
        asked=asked,
        queues=queues,
        notes=(found.silent,) if found.silent else (),
        soonest=_soonest(queues, found.now),
    )


def _reached(queue: Queue) -> Any:
    with queue.transport.open():
        queue.transport.identify(list(queue.dialect.programs))
        return _ask(queue)


def _ask(queue: Queue) -> Any:
    """Query the queues, and for those that are open to the user when a small job would start."""
    states = run_dialogue(queue.dialect.queues(queue.user), queue.ask)
    if isinstance(states, NoReply):
        return states.why
    starts, refused, silent = {}, {}, ""
    usable = [state for state in states if state.open and state.may is not False and _shown(state)]
    for state in sorted(usable, key=lambda state: not state.default)[:TRIALS]:
        reply = run_dialogue(queue.dialect.estimate_start(state), queue.ask)
        if isinstance(reply, Start):
            starts[state.name] = reply.at
        elif isinstance(reply, SubmissionRefused):
            refused[state.name] = reply.why
        else:
            silent = reply.why
            break
    now = queue.ask(NOW).stdout.strip()
    return msgspec.to_builtins(
        Reply(now=now, states=tuple(states), starts=starts, refused=refused, silent=silent)
    )


def _shown(state: QueueState) -> bool:
    """Tell whether a queue is listed: a hidden one only for a user who may use it."""
    return not state.hidden or state.may is True


def _now(site: Site, state: QueueState, reply: Reply) -> QueueNow:
    described = site.partition(state.name)
    remarks = ["default"] if state.default else []
    remarks += [state.word] if state.word else []
    if described is not None:
        remarks += ["for tests"] if described.test else []
        remarks += [f"{described.gpus} GPUs per node"] if described.gpus else []
        remarks += ["by request"] if described.by_request else []
    if state.max_nodes is not None:
        remarks.append(f"at most {counted(state.max_nodes, 'node')} per job")
    if state.lost:
        remarks.append(f"down: {counted(state.lost, 'core')}")
    if state.waiting:
        remarks.append(f"{state.waiting} waiting")
    return QueueNow(
        state=state,
        remarks=tuple(remarks),
        start=reply.starts.get(state.name, ""),
        refused=reply.refused.get(state.name, ""),
        usual=described is None or not (described.gpus or described.by_request),
    )


def cells(queue: QueueNow) -> tuple[str, ...]:
    """Return a queue as the cells of a row under TITLES."""
    state = queue.state
    return (
        state.name,
        _of(state.idle, state.cores),
        _of(state.idle_nodes, state.nodes),
        span(state.default_time) if state.default_time is not None else "-",
        span(state.max_time) if state.max_time is not None else "-",
        rights(queue),
        ", ".join(queue.remarks),
    )


def rights(queue: QueueNow) -> str:
    """Return whether the user may use a queue, and why."""
    state = queue.state
    if queue.refused:
        return f"not as requested: {queue.refused}"
    answer = {True: "yes", False: "no", None: "not known" if state.rights else "not reported"}[state.may]
    separator = ", " if state.may else ": "
    return f"{answer}{separator}{state.rights}" if state.rights else answer


def _of(part: int | None, whole: int | None) -> str:
    if part is None and whole is None:
        return "?"
    return f"{'?' if part is None else part} of {'?' if whole is None else whole}"


def _soonest(queues: tuple[QueueNow, ...], now: str) -> str:
    """Return where a small job would start first by the scheduler's estimate, else where most cores are idle."""
    usual = [queue for queue in queues if queue.usual] or list(queues)
    known = [queue for queue in usual if queue.start]
    small = "a job of one core for an hour"
    if known:
        first = min(queue.start for queue in known)
        if _seconds(now, first) <= AT_ONCE:
            names = [queue.state.name for queue in known if _seconds(now, queue.start) <= AT_ONCE]
            return f"{small} would start at once in {_either(names)}"
        names = [queue.state.name for queue in known if queue.start == first]
        return f"{small} would start soonest in {_either(names)}: at {first.replace('T', ' ')}"
    open_to_user = [queue.state for queue in usual if queue.state.open and queue.state.may is not False]
    free = [state for state in open_to_user if state.idle]
    if free:
        most = max(free, key=lambda state: state.idle or 0)
        return f"{most.name} has the most idle cores ({most.idle}), so {small} may start soonest there"
    return ""


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _seconds(now: str, then: str) -> float:
    try:
        return (datetime.fromisoformat(then) - datetime.fromisoformat(now)).total_seconds()
    except ValueError:
        return float("inf")
