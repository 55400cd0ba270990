"""Find the causes that a log, the scheduler and a script show, the likeliest first."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from packhorse.diagnose.kind import JobFacts, Kind
from packhorse.diagnose.kinds import KINDS
from packhorse.jobscript.script import JobScript
from packhorse.lint.job import Job
from packhorse.text.amounts import size, span

MOST_LINES = 5000  # of a log, from its end
LONGEST_LINE = 2000  # a longer one is data, or a progress bar
_ENDED = {"time-limit", "memory-limit", "node-failure", "preempted", "cancelled", "killed"}
_WEIGHTS = {"first": 0, "root": 1, "cause": 2, "consequence": 3}


class Log(Struct, frozen=True):
    """The text of one log file."""

    path: str
    text: str


class Found(Struct, frozen=True, kw_only=True):
    """A kind, and where it shows: a line of a log, or a word of the scheduler (line 0)."""

    kind: Kind
    groups: dict[str, str] = {}
    path: str = ""
    line: int = 0
    text: str = ""  # the line that shows it


def causes(logs: Sequence[Log], job: JobFacts | None, script: JobScript | None = None) -> list[Found]:
    """Return what is shown, each kind once; the scheduler's own word first, then roots, causes and consequences.

    Of two of one weight the earlier line counts, since errors follow from errors.
    """
    told = list(_told(job)) if job is not None else []
    shown = [one for log in logs for one in _in_log(log)]
    shown.sort(key=lambda one: _WEIGHTS[one.kind.weight])
    if job is not None and not shown and not told:
        told = [Found(kind=kind, text=f"exit status {job.exit}") for kind in KINDS if job.exit in kind.exits]
    kinds: dict[str, Found] = {}
    for one in [*told, *shown, *_lost_output([*told, *shown], script)]:
        before = kinds.get(one.kind.id)
        # A line of a log shows more than the state.
        if before is None or (not before.line and one.line):
            kinds[one.kind.id] = one
    return list(kinds.values())


def _told(job: JobFacts) -> Iterator[Found]:
    for kind in KINDS:
        if job.state in kind.states:
            yield Found(kind=kind, text=f"the scheduler says: {job.state}")
        elif any(re.search(pattern, job.reason, re.IGNORECASE) for pattern in kind.reasons) and job.reason:
            yield Found(kind=kind, text=f"the scheduler says: {job.reason}")


def _lost_output(found: Sequence[Found], script: JobScript | None) -> Iterator[Found]:
    """Yield that output is lost where Python was ended from outside, and held what it had printed."""
    ended = next((one for one in found if one.kind.id in _ENDED), None)
    if ended is None or script is None or "PYTHONUNBUFFERED" in script.text:
        return
    for command in Job(script).programs:
        words = [word.text for word in command.program]
        if words[0].rpartition("/")[2].startswith("python") and "-u" not in words:
            kind = next(kind for kind in KINDS if kind.id == "output-lost")
            yield Found(kind=kind, path=script.path, line=command.line, text=command.text)
            return


def _in_log(log: Log) -> list[Found]:
    lines = log.text.splitlines()
    skipped = max(0, len(lines) - MOST_LINES)
    found: dict[str, Found] = {}
    for number, line in enumerate(lines[skipped:], skipped + 1):
        if len(line) > LONGEST_LINE:
            continue
        for kind, pattern in _compiled():
            match = pattern.search(line) if kind.id not in found else None
            if match:
                found[kind.id] = Found(
                    kind=kind, groups=_groups(match), path=log.path, line=number, text=line.strip()
                )
                if kind.weight != "consequence":
                    break
    return _without_echoes(found.values())


def _without_echoes(found: Iterable[Found]) -> list[Found]:
    """Return what was found, without consequences of the same line as a cause."""
    rows = list(found)
    causes_at = {one.line for one in rows if one.kind.weight != "consequence"}
    return [one for one in rows if one.kind.weight != "consequence" or one.line not in causes_at]


def _groups(match: re.Match[str]) -> dict[str, str]:
    return {name: value for name, value in match.groupdict().items() if value}


@functools.cache
def _compiled() -> tuple[tuple[Kind, re.Pattern[str]], ...]:
    """Return all patterns, roots first, so that a line shows the most telling kind."""
    ordered = sorted(KINDS, key=lambda kind: _WEIGHTS[kind.weight])
    return tuple((kind, re.compile(pattern)) for kind in ordered for pattern in kind.patterns)


def sentence(found: Found, job: JobFacts | None) -> str:
    """Return the cause in one sentence."""
    return _filled(found.kind.sentence, _values(found, job))


def remedy(found: Found, job: JobFacts | None) -> str:
    """Return what to do."""
    return _filled(found.kind.remedy, _values(found, job))


def _filled(template: str, values: dict[str, str]) -> str:
    text = template.format_map(defaultdict(str, values))
    return re.sub(r" +([.,:;])(?=\s|$)", r"\1", re.sub(r" {2,}", " ", text)).rstrip(": ").replace(": .", ".")


def _values(found: Found, job: JobFacts | None) -> dict[str, str]:
    values = dict(found.groups)
    facts = job or JobFacts()
    if found.kind.id == "time-limit":
        seconds = facts.limit or (int(values["given"]) if values.get("given", "").isdigit() else 0)
        values["limit"] = f" of {span(seconds)}" if seconds else ""
    if found.kind.id == "memory-limit":
        values["memory"] = _memory(facts, values)
    if found.kind.id in {"quota", "file-truncated", "launch-folder"}:
        values["path"] = f" ({values['path']})" if "path" in values else ""
    if found.kind.id == "shell-syntax":
        values["line"] = f" at line {values['line']}" if "line" in values else ""
    if found.kind.id in {"python-memory"}:
        values["size"] = f"({values['size']})" if "size" in values else ""
    values.setdefault("reason", facts.reason)
    return values


def _memory(job: JobFacts, values: dict[str, str]) -> str:
    if "given" in values:
        return f" ({values['used']} of {values['given']})"
    if job.memory_asked and job.memory and job.memory > job.memory_asked // 2:
        return f" ({size(job.memory)} of {size(job.memory_asked)})"
    return f" ({size(job.memory_asked)})" if job.memory_asked else ""
