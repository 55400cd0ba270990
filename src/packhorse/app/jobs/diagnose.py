"""Say why a job failed: from the scheduler's answers, the log, the script, or the tasks of a run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from packhorse.app.jobs.lint import LintOptions, lint, script_text
from packhorse.cluster.job_lookup import JobReference, find_job_reference, job_outputs, open_queue
from packhorse.cluster.job_table import RunNames
from packhorse.cluster.script_job import script_job_reference
from packhorse.cluster.user_jobs import find_job
from packhorse.diagnose.causes import Found, Log, causes, remedy, sentence
from packhorse.diagnose.changes import changed
from packhorse.diagnose.kind import Certainty, JobFacts
from packhorse.jobscript.script import JobScript
from packhorse.model.errors import PackhorseError, RunError, UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.site import Site
from packhorse.project.sites import find_site, site_here
from packhorse.remote.file_tail import output_tail
from packhorse.remote.last_known import fetch_or_note
from packhorse.remote.open_store import open_store
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundata.task_log import last_attempt, printed
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.submissions import read_script_job
from packhorse.runtime.dialogue import run_dialogue

DAYS = 30  # of the accounting, in which a job is looked for
TAIL = 1 << 20  # bytes of a log that are read
FILES = 4  # logs of a job that are read
SUFFIXES = ("*.sh", "*.slurm", "*.sbatch", "*.pbs", "*.job")  # of scripts
_STATES = {"TIMEOUT": "timed out", "MEMORY": "out of memory"}


class Cause(Struct, frozen=True, kw_only=True):
    """A cause of a failure."""

    kind: Annotated[str, Meta(description="The kind of cause: time-limit, python-package.")]
    sentence: Annotated[str, Meta(description="The cause in one sentence.")]
    sure: Annotated[Certainty, Meta(description="certain, likely or possible.")]
    path: Annotated[str, Meta(description="The file that shows it; empty: the scheduler says so.")] = ""
    line: Annotated[int, Meta(description="The line of the file, from 1; 0: none.")] = 0
    text: Annotated[str, Meta(description="What shows it.")] = ""
    remedy: Annotated[str, Meta(description="What to do.")] = ""
    diff: Annotated[str, Meta(description="The change of the script, as a unified diff; empty: none.")] = ""


class Diagnosis(JsonOutput, frozen=True, kw_only=True, tag="packhorse-diagnose/1"):
    """Why a job failed."""

    causes: Annotated[tuple[Cause, ...], Meta(description="The likeliest first.")]
    state: Annotated[str, Meta(description="The job's state at the scheduler; empty: not asked.")] = ""
    read: Annotated[tuple[str, ...], Meta(description="The files that were read.")] = ()
    notes: Annotated[tuple[str, ...], Meta(description="What could not be read.")] = ()


class Evidence(Struct, kw_only=True):
    """All that is known of a failure."""

    logs: list[Log] = []
    job: JobFacts | None = None
    script: JobScript | None = None
    site: Site | None = None
    notes: list[str] = []


def diagnose(subject: str, site_name: str, here: Path) -> Diagnosis:
    """Return why a job, script, run or log shows a failure. Raises UsageError for a subject that is none of these."""
    site = find_site(site_name, here) if site_name else None
    path = Path(subject)
    if path.is_file():
        evidence = _of_file(path, here)
    elif reference := _job(subject, site_name, here):
        evidence = _of_job(reference)
    else:
        evidence = _of_run(_run(subject, here))
    evidence.site = evidence.site or site
    found = causes(evidence.logs, evidence.job, evidence.script)
    rows = [_cause(one, evidence) for one in found] or list(_lint_errors(evidence, here))
    return Diagnosis(
        causes=tuple(rows),
        state=evidence.job.state if evidence.job else "",
        read=tuple(log.path for log in evidence.logs),
        notes=tuple(evidence.notes),
    )


def _job(subject: str, site_name: str, here: Path) -> JobReference | None:
    """Return the job that SITE:JOB or a number names; None for other texts."""
    if (
        not site_name
        and re.fullmatch(r"\d+(_\d+|\[\d+\])?(\.[\w.-]+)?", subject)
        and not (here / "runs" / subject).exists()
    ):
        site_name = site_here(here, "--site NAME")
    return find_job_reference(f"{site_name}:{subject}" if site_name else subject, here)


def _run(subject: str, here: Path) -> RunDirectory:
    try:
        return find_run(here, subject)
    except UsageError as error:
        hint = "packhorse diagnose SITE:JOB, JOB.sh, RUN or LOGFILE"
        raise UsageError(f"{subject} is not a file, a job, or a run; {error.message}", hint) from None


# --- Files ---


def _of_file(path: Path, here: Path) -> Evidence:
    text, fault = script_text(path)
    script = JobScript(text, str(path)) if not fault else None
    if script is not None and script.directives and text.startswith("#!"):
        found = _newest_logs(script, path)
        notes = [] if found else [f"{path} has no log beside it; name the log: packhorse diagnose LOGFILE"]
        return Evidence(logs=[_log(one) for one in found], script=script, notes=notes)
    return Evidence(logs=[_log(path)], script=_script_of_log(path, here))


def _log(path: Path) -> Log:
    """Return the end of a log; raise UsageError where it cannot be read as text."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            data = file.read()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", "packhorse diagnose LOGFILE") from None
    if b"\0" in data[:4096]:
        raise UsageError(f"{path} is not a text file", "packhorse diagnose LOGFILE")
    text = data.decode("utf-8", "replace")
    return Log(str(path), text)


def _patterns(script: JobScript) -> tuple[str, ...]:
    """Return the names of the logs of a script, with * for what the scheduler fills in."""
    if script.dialect == "slurm":
        named = [script.value("output") or "slurm-%j.out", script.value("error")]
        return tuple(re.sub(r"%\d*[A-Za-z]", "*", name) for name in named if name)
    name = script.value("N") or Path(script.path).name
    stated = [value for value in (script.value("o"), script.value("e")) if value]
    return (*(re.sub(r"\$\{?\w+\}?|\^array_index\^", "*", one) for one in stated), f"{name}.o*", f"{name}.e*")


def _newest_logs(script: JobScript, path: Path) -> list[Path]:
    """Return the newest log of a script, and the one of its errors, beside it."""
    found = []
    for pattern in _patterns(script):
        matches = [one for one in path.parent.glob(pattern.lstrip("/")) if one.is_file() and one != path]
        found += [max(matches, key=lambda one: one.stat().st_mtime)] if matches else []
    return list(dict.fromkeys(found))


def _script_of_log(path: Path, here: Path) -> JobScript | None:
    """Return the script whose directives name a log, if one beside it or here does."""
    folders = dict.fromkeys([path.parent, Path()])
    for candidate in (
        one for folder in folders for suffix in SUFFIXES for one in sorted(folder.glob(suffix))
    ):
        text, fault = script_text(here / candidate)
        script = JobScript(text, str(candidate))
        if not fault and script.directives and any(_is_named(path, pattern) for pattern in _patterns(script)):
            return script
    return None


def _is_named(path: Path, pattern: str) -> bool:
    return fnmatchcase(str(path.resolve()), f"*/{pattern.removeprefix('./').lstrip('/')}")


# --- Jobs ---


def _of_job(reference: JobReference) -> Evidence:
    evidence = Evidence(site=reference.site)
    reply = find_job(reference.site, reference.job, RunNames(), DAYS)
    if reply.rows:
        row = reply.rows[0]
        evidence.job = JobFacts(
            state=row.state,
            exit=row.exit,
            signal=row.signal,
            elapsed=row.elapsed,
            limit=row.limit,
            memory=row.memory,
            memory_asked=row.memory_asked,
            nodes=row.nodes,
            reason=row.reason,
            needs=row.needs,
        )
    elif reply.silent:
        raise RunError(f"no reply from the scheduler of {reference.site.name}: {reply.silent}", reply.hint)
    try:
        _read_job(reference, evidence)
    except PackhorseError as error:
        evidence.notes.append(error.message)
    return evidence


def _read_job(reference: JobReference, evidence: Evidence) -> None:
    """Read the script and the logs of a job on its site."""
    with open_queue(reference.site) as queue:
        text = reference.script
        details = run_dialogue(queue.dialect.details(reference.word, text), queue.ask)
        path = next((row.script for row in details if row.script), "") if isinstance(details, list) else ""
        if not text and path:
            text = queue.transport.read_file(path, 0).decode("utf-8", "surrogateescape")
        if text.startswith("#!"):
            evidence.script = JobScript(text, path or "job.sh")
        files = sorted(job_outputs(queue, reference), key=lambda file: not file.errors)
        evidence.logs += [Log(file.path, output_tail(queue.transport, file)) for file in files[:FILES]]


# --- Runs ---


def _of_run(run: RunDirectory) -> Evidence:
    if read_script_job(run) is not None:
        reference = script_job_reference(run)
        assert reference is not None
        return _of_job(reference)
    store = open_store(run)
    note = fetch_or_note(store, store.fetch_records)
    outcomes = latest_outcomes(run)
    ranges = outcomes.fold.ranges("FAILED", "TIMEOUT", "MEMORY", "UNFINISHED")
    failed = list(islice((index for first, end in ranges for index in range(first, end)), FILES))
    states = [outcomes.fold.state(index) for index in failed]
    state = next((_STATES[one] for one in states if one in _STATES), "failed" if states else "")
    evidence = Evidence(notes=[note] if note else [], job=JobFacts(state=state) if state else None)
    for index in failed:
        attempt = last_attempt(outcomes, index)
        text = (printed(run, *attempt) or attempt[1].cause or "") if attempt else ""
        evidence.logs.append(Log(f"task {index}", text))
    return evidence


# --- Causes ---


def _cause(found: Found, evidence: Evidence) -> Cause:
    return Cause(
        kind=found.kind.id,
        sentence=sentence(found, evidence.job),
        sure=found.kind.sure,
        path=found.path,
        line=found.line,
        text=found.text,
        remedy=remedy(found, evidence.job),
        diff=_diff(found, evidence),
    )


def _diff(found: Found, evidence: Evidence) -> str:
    script = evidence.script
    if script is None or not (found.kind.change or found.kind.rules):
        return ""
    after = changed(found.kind, script, evidence.job, evidence.site)
    return _unified(script.text, after, script.path) if after != script.text else ""


def _unified(before: str, after: str, path: str) -> str:
    rows = difflib.unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), path, path)
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def _lint_errors(evidence: Evidence, here: Path) -> Iterator[Cause]:
    """Yield what is certainly wrong in the script, where no log shows a cause."""
    path = Path(evidence.script.path) if evidence.script else None
    if path is None or not path.is_file():
        return
    report, _ = lint([path], LintOptions(), here)
    for finding in report.findings:
        if finding.severity == "error":
            yield Cause(
                kind=f"lint-{finding.rule}",
                sentence=f"{finding.message}.",
                sure="likely",
                path=finding.path,
                line=finding.line,
                text=evidence.script.lines[finding.line - 1].text if evidence.script else "",
                remedy=finding.advice or f"packhorse lint --explain {finding.rule}",
            )
