"""A site's queues now: what is free, what they allow, whether the user may use them, and which starts a job soonest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.cluster.queue import Queue
from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.model.job import SubmissionRefused
from packhorse.model.queues import QueueState, Start
from packhorse.model.site import Site
from packhorse.project.cache_dir import cache_dir
from packhorse.project.user_sites import with_jobs
from packhorse.remote.transport import transport_for
from packhorse.rundir.shared_reply import SharedReply
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers.scheduler import NoReply
from packhorse.text.amounts import span

TRIALS = 8  # queues that are asked when a job would start
AT_ONCE = 90  # seconds
TITLES = ("queue", "idle cores", "idle nodes", "usual time", "longest", "may I", "")
NOW = Command(argv=("date", "+%Y-%m-%dT%H:%M:%S"))


class QueueNow(Struct, frozen=True, kw_only=True):
    """A queue, with what the site's file says of it, and when a small job would start; `refused`: why not."""

    state: QueueState
    remarks: tuple[str, ...] = ()
    start: str = ""
    refused: str = ""
    usual: bool = True  # whether a job without special needs belongs there


class SiteQueues(Struct, frozen=True, kw_only=True):
    """All queues of a site."""

    site: str
    asked: float
    queues: tuple[QueueNow, ...]
    notes: tuple[str, ...] = ()
    soonest: str = ""

    usual: bool = True  # whether a job without special needs belongs there


class Said(Struct, frozen=True, kw_only=True):
    """What was asked of a scheduler, as it is kept for the site's interval."""

    now: str  # the site's own time
    states: tuple[QueueState, ...]
    starts: dict[str, str]
    refused: dict[str, str]
    silent: str = ""  # why it cannot say when jobs start


def site_queues(folder: Path, name: str) -> SiteQueues:
    """Return the queues of a site; raise RunError where it does not answer."""
    site = with_jobs(name, folder)
    queue = Queue(site, transport_for(site))
    shared = SharedReply(cache_dir() / f"partitions-{site.name}.json")
    asked, said = shared.get(site.poll, lambda: _reached(queue))
    if isinstance(said, str):
        raise RunError(f"the scheduler of {site.name} does not answer: {said}", "the same command asks again")
    found = msgspec.convert(said, Said)
    queues = tuple(_now(site, one, found) for one in found.states if _shown(one))
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
    """Ask for the queues, and in those that are open to the user when a small job would start."""
    states = run_dialogue(queue.dialect.queues(queue.user), queue.ask)
    if isinstance(states, NoReply):
        return states.why
    starts, refused, silent = {}, {}, ""
    usable = [one for one in states if one.open and one.may is not False and _shown(one)]
    for one in sorted(usable, key=lambda one: not one.default)[:TRIALS]:
        said = run_dialogue(queue.dialect.estimate_start(one), queue.ask)
        if isinstance(said, Start):
            starts[one.name] = said.at
        elif isinstance(said, SubmissionRefused):
            refused[one.name] = said.why
        else:
            silent = said.why
            break
    now = queue.ask(NOW).stdout.strip()
    return msgspec.to_builtins(
        Said(now=now, states=tuple(states), starts=starts, refused=refused, silent=silent)
    )


def _shown(one: QueueState) -> bool:
    """Tell whether a queue is shown: one that is hidden only to who may use it."""
    return not one.hidden or one.may is True


def _now(site: Site, one: QueueState, said: Said) -> QueueNow:
    described = site.partition(one.name)
    remarks = ["default"] if one.default else []
    remarks += [one.word] if one.word else []
    if described is not None:
        remarks += ["for tests"] if described.test else []
        remarks += [f"{described.gpus} GPUs a node"] if described.gpus else []
        remarks += ["by request"] if described.by_request else []
    if one.max_nodes is not None:
        remarks.append(f"at most {one.max_nodes} node{'' if one.max_nodes == 1 else 's'} a job")
    if one.lost:
        remarks.append(f"{one.lost} cores are down")
    if one.waiting:
        remarks.append(f"{one.waiting} waiting")
    return QueueNow(
        state=one,
        remarks=tuple(remarks),
        start=said.starts.get(one.name, ""),
        refused=said.refused.get(one.name, ""),
        usual=described is None or not (described.gpus or described.by_request),
    )


def cells(one: QueueNow) -> tuple[str, ...]:
    """Return a queue as the cells of a row under TITLES."""
    state = one.state
    return (
        state.name,
        _of(state.idle, state.cores),
        _of(state.idle_nodes, state.nodes),
        span(state.default_time) if state.default_time is not None else "-",
        span(state.max_time) if state.max_time is not None else "-",
        rights(one),
        ", ".join(one.remarks),
    )


def rights(one: QueueNow) -> str:
    """Return whether the user may use a queue, in plain words."""
    state = one.state
    if one.refused:
        return f"not as asked: {one.refused}"
    answer = {True: "yes", False: "no", None: "not known" if state.rights else "nobody says"}[state.may]
    separator = ", " if state.may else ": "
    return f"{answer}{separator}{state.rights}" if state.rights else answer


def _of(part: int | None, whole: int | None) -> str:
    if part is None and whole is None:
        return "?"
    return f"{'?' if part is None else part} of {'?' if whole is None else whole}"


def _soonest(queues: tuple[QueueNow, ...], now: str) -> str:
    """Return where a job of one core and an hour would start first, as the scheduler says; else where cores are idle."""
    usual = [one for one in queues if one.usual] or list(queues)
    known = [one for one in usual if one.start]
    small = "a job of one core for an hour"
    if known:
        first = min(one.start for one in known)
        if _seconds(now, first) <= AT_ONCE:
            names = [one.state.name for one in known if _seconds(now, one.start) <= AT_ONCE]
            return f"{small} would start at once in {_either(names)}"
        names = [one.state.name for one in known if one.start == first]
        return f"{small} would start soonest in {_either(names)}: at {first.replace('T', ' ')}"
    free = [one.state for one in usual if one.state.open and one.state.may is not False and one.state.idle]
    if free:
        most = max(free, key=lambda one: one.idle or 0)
        return f"{most.name} has the most idle cores ({most.idle}), so {small} may start soonest there"
    return ""


def _either(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _seconds(now: str, then: str) -> float:
    try:
        return (datetime.fromisoformat(then) - datetime.fromisoformat(now)).total_seconds()
    except ValueError:
        return float("inf")
