"""Change a script so that the cause of a failure is gone: more memory, more time, other names."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from packhorse.diagnose.kind import JobFacts, Kind
from packhorse.jobscript.lines import Edit, apply_edits
from packhorse.jobscript.options import Option
from packhorse.jobscript.script import JobScript
from packhorse.jobscript.values import pbs_mebibytes, pbs_seconds, slurm_mebibytes, slurm_seconds
from packhorse.lint.check import Finding, Selection, check, fix_all
from packhorse.lint.job import Job
from packhorse.model.site import Site
from packhorse.schedulers import scheduler
from packhorse.translate.site_names import SiteNames
from packhorse.translate.write_pbs import clock as pbs_clock
from packhorse.translate.write_slurm import clock as slurm_clock

FACTOR = 2  # more of what was too little
_PBS_SIZE = re.compile(r"\b(mem=)(\d+[kmgtp]?[bw]?)", re.IGNORECASE)
_PBS_TIME = re.compile(r"\b(walltime=)([\d:]+)")


def changed(kind: Kind, script: JobScript, job: JobFacts | None, site: Site | None) -> str:
    """Return the script with the remedy of a kind; the same text where none can be made."""
    if kind.rules:
        return _linted(script, kind.rules, site)
    facts = job or JobFacts()
    edits: Sequence[Edit] = ()
    if kind.change == "memory":
        edits = _memory(script, facts)
    elif kind.change == "time":
        edits = _time(script, facts, site)
    elif kind.change == "login shell":
        edits = _login_shell(script)
    elif kind.change == "unbuffered":
        edits = _unbuffered(script)
    elif kind.change in {"partition", "modules"} and site is not None:
        edits = _named(kind, script, site)
    return apply_edits(script.lines, edits)


def _linted(script: JobScript, rules: Sequence[str], site: Site | None) -> str:
    def look(text: str) -> list[Finding]:
        job = Job(JobScript(text, script.path), site)
        return check("job", job, job.script.lines, script.path, Selection(select=tuple(rules)))

    return fix_all(script.text, look)[0]


def _value(option: Option, text: str) -> Edit:
    return Edit(option.line, option.value_start, option.value_end, text)


def _memory(script: JobScript, job: JobFacts) -> list[Edit]:
    if script.dialect == "pbs":
        return _in_lists(script, _PBS_SIZE, lambda text: _more_size(pbs_mebibytes(text), "mb"))
    option = script.option("mem") or script.option("mem-per-cpu") or script.option("mem-per-gpu")
    if option is None:
        asked = max(job.memory_asked or 0, job.memory or 0)
        return (
            _added(script, f"--mem={_rounded(asked * FACTOR)}") if asked and script.dialect == "slurm" else []
        )
    used = job.memory if option.name == "mem" else None
    size = slurm_mebibytes(option.value or "")
    return [_value(option, _rounded(max(size * FACTOR, (used or 0) * 1.5)))] if size else []


def _rounded(mebibytes: float) -> str:
    return f"{math.ceil(mebibytes / 1024)}G" if mebibytes >= 1024 else f"{math.ceil(mebibytes)}M"


def _more_size(mebibytes: float | None, unit: str) -> str:
    if not mebibytes:
        return ""
    more = mebibytes * FACTOR
    return f"{math.ceil(more / 1024)}gb" if more >= 1024 else f"{math.ceil(more)}{unit}"


def _time(script: JobScript, job: JobFacts, site: Site | None) -> list[Edit]:
    most = _longest(script, site)
    if script.dialect == "pbs":

        def more(text: str) -> str:
            seconds = pbs_seconds(text)
            return pbs_clock(min(seconds * FACTOR, most or seconds * FACTOR)) if seconds else ""

        return _in_lists(script, _PBS_TIME, more)
    option = script.option("time")
    seconds = slurm_seconds(option.value or "") if option else job.limit
    if not seconds or seconds < 0 or script.dialect != "slurm":
        return []
    text = slurm_clock(min(seconds * FACTOR, most or seconds * FACTOR))
    return [_value(option, text)] if option else _added(script, f"--time={text}")


def _longest(script: JobScript, site: Site | None) -> int | None:
    """Return the longest time of the script's partition; None where that is not known."""
    name = script.value("partition") or script.value("q")
    partition = site.partition(name) if site and name else None
    return partition.max_time if partition else None


def _in_lists(script: JobScript, pattern: re.Pattern[str], more: object) -> list[Edit]:
    """Return edits of a resource in -l lists."""
    edits = []
    for option in script.options:
        if option.name != "l" or not option.value:
            continue
        row = script.lines[option.line - 1].text
        found = pattern.search(row, option.value_start, option.value_end)
        text = more(found[2]) if found else ""  # type: ignore[operator]
        if found and text:
            edits.append(Edit(option.line, found.start(2), found.end(2), text))
    return edits


def _added(script: JobScript, option: str) -> list[Edit]:
    """Return the edit that adds a directive after the others."""
    last = script.directives[-1].line if script.directives else 1
    line = script.lines[last - 1]
    return [Edit(last, 0, 0, f"{line.text}{line.end or chr(10)}#SBATCH {option}{line.end}", whole=True)]


def _login_shell(script: JobScript) -> list[Edit]:
    first = script.lines[0].text if script.lines else ""
    return [Edit(1, 0, len(first), "#!/bin/bash -l")] if re.fullmatch(r"#! ?/bin/bash\s*", first) else []


def _unbuffered(script: JobScript) -> list[Edit]:
    """Return the edits that let each python write at once."""
    words = [command.program[0] for command in Job(script).programs if "-u" not in command.text.split()]
    named = [word for word in words if word.text.rpartition("/")[2].startswith("python")]
    return [Edit(word.line, word.end, word.end, " -u") for word in named]


def _named(kind: Kind, script: JobScript, site: Site) -> Sequence[Edit]:
    names = SiteNames(site, scheduler(site.scheduler).read_header(script.text).request)
    if kind.change == "modules":
        return names.modules(Job(script).shell)[0]
    option = script.option("partition") or script.option("q")
    chosen = names.partition()
    if not chosen or (option and option.value == chosen):
        return []
    if option is None:
        return _added(script, f"--partition={chosen}") if script.dialect == "slurm" else []
    return [_value(option, chosen)]
