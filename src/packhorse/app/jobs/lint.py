"""Check job scripts, and the Python and R source that they run."""

from __future__ import annotations

import difflib
import os
import shlex
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from packhorse.jobscript.lines import decode, encode, split_lines
from packhorse.jobscript.script import JobScript
from packhorse.lint.check import UNREADABLE, Finding, Selection, check, fix_all
from packhorse.lint.job import Job, source_of
from packhorse.lint.rule import RULES, Kind, Rule
from packhorse.lint.source import PythonSource, RSource
from packhorse.model.errors import UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.r_syntax import RSyntax
from packhorse.model.site import Site
from packhorse.project.sites import find_site
from packhorse.rundir.files import write_file
from packhorse.runtime.r_parser import parse_r

MOST_BYTES = 1 << 20  # of a script; a larger file is data
SCRIPTS = {".sh", ".bash", ".slurm", ".sbatch", ".sub", ".job", ".pbs", ".qsub", ".torque", ".batch"}
SOURCES: dict[str, Kind] = {".py": "python", ".r": "r"}
SKIPPED = {"__pycache__", "node_modules", "runs", "renv", "site-packages", "venv", "build", "dist"}


class LintReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-lint/1"):
    """What is wrong in files."""

    findings: Annotated[tuple[Finding, ...], Meta(description="In the order of files and lines.")]
    files: Annotated[int, Meta(description="How many files were checked.")]
    fixed: Annotated[tuple[str, ...], Meta(description="The files that --fix changed.")] = ()

    @property
    def failed(self) -> bool:
        """Whether there is an error."""
        return any(one.severity == "error" for one in self.findings)


class LintOptions(Struct, frozen=True, kw_only=True):
    """Options of a check."""

    site: str = ""
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    fix: bool = False


class Checked(Struct, frozen=True, kw_only=True):
    """A file that was checked: its findings, and its text before and after the fixes."""

    path: Path
    findings: tuple[Finding, ...]
    before: str = ""
    after: str = ""

    def diff(self) -> str:
        """Return the fixes as a unified diff."""
        name = str(self.path)
        rows = difflib.unified_diff(
            self.before.splitlines(keepends=True), self.after.splitlines(keepends=True), name, name
        )
        return "".join(
            row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows
        )


def lint(paths: Sequence[Path], options: LintOptions, here: Path) -> tuple[LintReport, list[Checked]]:
    """Check files, and all scripts and source in folders; with `fix`, correct them. Raises UsageError."""
    selection = Selection(select=_known(options.select), ignore=_known(options.ignore))
    site = find_site(options.site, here) if options.site else None
    files = list(_files(paths))
    syntax = _r_syntax(files)
    checked = [_check_file(path, site, selection, here, syntax) for path in files]
    changed = [one for one in checked if one.before != one.after]
    if options.fix:
        for one in changed:
            write_file(one.path, encode(one.after), stat.S_IMODE(one.path.stat().st_mode))
    report = LintReport(
        findings=tuple(
            finding for one in checked for finding in one.findings if not (options.fix and finding.fix)
        ),
        files=len(checked),
        fixed=tuple(str(one.path) for one in changed) if options.fix else (),
    )
    return report, changed


def submission_findings(text: str, path: Path, site: Site, here: Path) -> list[Finding]:
    """Return what to know of a script that is about to be submitted, besides what `submit` finds or does itself."""
    selection = Selection(
        ignore=("J01", "J03", "J04", "J08", "J57", "J17", "J21", "J23", "J24", "J37", "J39")
    )
    return [one for one in _findings(text, path, site, selection, here) if one.severity != "hint"]


MOST_NOTES = 5  # findings of a study's program that plan and run show


def program_notes(program: str, folder: Path, *, hints: bool) -> tuple[str, ...]:
    """Return the findings in a program that Packhorse starts, below a folder, as sentences; hints, too, or only others.

    Directives have no effect there, and are left out. A program that is not there, or that cannot be read as a script,
    gives none: what runs it says so.
    """
    path = folder / program
    try:
        text, fault = script_text(path)
    except OSError:
        return ()
    if fault:
        return ()
    lines = split_lines(text)
    shown = [
        one
        for one in _findings(text, path, None, Selection(), folder)
        if (hints or one.severity != "hint") and not lines[one.line - 1].text.lstrip().startswith("#")
    ]
    rows = [f"{program}:{one.line}: {finding_note(one)}" for one in shown[:MOST_NOTES]]
    more = len(shown) - len(rows)
    return (*rows, f"{program}: {more} more; packhorse lint {shlex.quote(program)}") if more else tuple(rows)


def finding_note(finding: Finding) -> str:
    """Return what is wrong, and how to learn more."""
    return f"{finding.message} (packhorse lint --explain {finding.rule})"


def rule_with_id(identity: str) -> Rule:
    """Return a rule; raise UsageError where there is none with this id."""
    found = RULES.get(identity.upper())
    if found is None:
        raise UsageError(f"no rule {identity}", "packhorse lint --list shows all rules")
    return found


def _known(parts: Sequence[str]) -> tuple[str, ...]:
    """Return ids or their beginnings in capitals, each of which matches a rule."""
    whole = tuple(part.strip().upper() for group in parts for part in group.split(",") if part.strip())
    for part in whole:
        if part != "ALL" and not any(identity.startswith(part) for identity in RULES):
            raise UsageError(f"no rule {part}", "packhorse lint --list shows all rules")
    return whole


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield each file once: those that are named, and those in folders whose suffix says that they are scripts."""
    seen: set[Path] = set()
    for path in paths:
        if not path.exists():
            raise UsageError(f"no file {path}", "packhorse lint JOB.sh")
        for file in _below(path) if path.is_dir() else [path]:
            if file not in seen:
                seen.add(file)
                yield file


def _below(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in SKIPPED)
        for name in sorted(names):
            suffix = Path(name).suffix.lower()
            if not name.startswith(".") and (suffix in SCRIPTS or suffix in SOURCES):
                yield Path(root, name)


def _r_syntax(files: Sequence[Path]) -> dict[str, RSyntax]:
    """Return what the parser of R says, by the text of each R file; empty where R is not installed."""
    texts = []
    for path in files:
        if SOURCES.get(path.suffix.lower()) == "r":
            try:
                texts.append(script_text(path)[0])
            except OSError:
                continue  # the check says so
    return {text: one for text, one in zip(texts, parse_r(texts), strict=True) if one is not None}


def _check_file(
    path: Path, site: Site | None, selection: Selection, here: Path, syntax: Mapping[str, RSyntax]
) -> Checked:
    try:
        text, fault = script_text(path)
    except OSError as error:
        text, fault = "", f"cannot be read: {error.strerror}"
    if fault:
        finding = Finding(rule=UNREADABLE, severity="error", path=str(path), line=1, column=1, message=fault)
        return Checked(path=path, findings=(finding,))

    def look(text: str) -> list[Finding]:
        return _findings(text, path, site, selection, here, syntax)

    before = look(text)
    after = fix_all(text, look)[0] if any(one.fix for one in before) else text
    return Checked(path=path, findings=tuple(before), before=text, after=after)


def script_text(path: Path) -> tuple[str, str]:
    """Return the text of a file, and why it is not a script."""
    size = path.stat().st_size
    if not path.is_file():
        return "", "not a file"
    if size > MOST_BYTES:
        return "", f"too large for a script: {size:,} bytes, at most {MOST_BYTES:,}"
    data = path.read_bytes()
    if not data.strip():
        return "", "the file is empty"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "", "UTF-16 text; save it as UTF-8"
    if b"\0" in data:
        return "", "not a text file"
    return decode(data), ""


def _findings(
    text: str,
    path: Path,
    site: Site | None,
    selection: Selection,
    here: Path,
    syntax: Mapping[str, RSyntax] | None = None,
) -> list[Finding]:
    kind = SOURCES.get(path.suffix.lower())
    found: list[Finding] = []
    if kind is None or "#SBATCH" in text or "#PBS" in text:
        script = JobScript(text, str(path), site.scheduler if site and site.scheduler != "local" else "")
        job = Job(script, site, exists=lambda name: (path.parent / name).is_dir() or (here / name).is_dir())
        job.sources = program_sources(job, path)
        found += check("job", job, script.lines, str(path), selection)
    if kind is not None:
        source = PythonSource(text) if kind == "python" else RSource(text, (syntax or {}).get(text))
        found += check(kind, source, split_lines(text), str(path), selection)
    return found


def program_sources(job: Job, path: Path) -> dict[str, str]:
    """Return the text of the Python and R files that a script runs, beside it or below its folder."""
    if not job.script.dialect:
        return {}
    found = {}
    for command in job.programs:
        name = source_of(command)
        if name and name not in found:
            file = path.parent / name
            try:
                if file.is_file() and file.stat().st_size <= MOST_BYTES:
                    found[name] = decode(file.read_bytes())
            except (OSError, ValueError):
                continue
    return found
