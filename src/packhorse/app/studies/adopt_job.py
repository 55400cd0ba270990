"""Read a job script to adopt, with the source files of its project, and refuse what cannot become a right study."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from packhorse.adopt.job import AdoptedJob
from packhorse.adopt.surroundings import missing_variables
from packhorse.jobscript.lines import decode
from packhorse.jobscript.script import JobScript
from packhorse.model.errors import UsageError
from packhorse.snapshot.project_files import walk

LARGEST = 1 << 20  # bytes of a script or a source file
MOST_SOURCES = 3000
SOURCES = {".py", ".r", ".jl", ".m", ".pl", ".c", ".cpp", ".cc", ".f90", ".rs", ".go", ".ipynb", ".rmd"}

Ask = Callable[[str, Sequence[str]], str]  # a question and its choices; an empty answer without a terminal


class AdoptOptions(Struct, frozen=True, kw_only=True):
    """How to adopt a script; `arguments` are those after it on the submit line."""

    arguments: tuple[str, ...] = ()
    array: str = ""
    variables: dict[str, str] = {}  # of the submit line: sbatch --export, qsub -v
    form: str = "auto"  # script: run it as it is; named: refuse where it cannot be taken apart
    combine: Path | None = None  # a script that combines the results, whose table must be the same
    was: str = ""  # the folder of the project in the script's paths
    result: str = ""
    results: str = ""  # a pattern of files that finished tasks have written
    output: Path | None = None
    force: bool = False
    trial: bool = True
    seconds: float = 300.0


def read_job(script: Path, options: AdoptOptions, here: Path, root: Path, ask: Ask) -> AdoptedJob:
    """Read a job script; ask for its array where only the submit line had it. Raises UsageError."""
    job = AdoptedJob(
        _read(script), options.arguments, options.array, _Sources(root, here, script), options.variables
    )
    if reasons := list(job.refusals()):
        raise UsageError(
            "; ".join(reasons), f"to send it as it is: packhorse submit {shlex.quote(str(script))}"
        )
    if job.uses_arguments and not options.arguments:
        raise UsageError(
            f"{script} reads arguments ($1), and none are given",
            f"write them as after sbatch or qsub: packhorse adopt {shlex.quote(str(script))} ARGUMENT...",
        )
    missing, _ = missing_variables(job)
    if missing:
        names = ", ".join(f"{use.name} (line {use.line})" for use in missing)
        given = " ".join(f"--variable {use.name}=VALUE" for use in missing)
        raise UsageError(
            f"{script} reads {names}, which nothing in it sets; sbatch --export or qsub -v may have set it",
            f"packhorse adopt {given} {shlex.quote(str(script))}",
        )
    reads_index = any(re.search(rf"\b{name}\b", job.script.text) for name in job.index_names)
    if job.indices is None and reads_index and not job.ranks:
        answer = ask("Indices of the array, as after --array (such as 1-200)?", ())
        if not answer:
            raise UsageError(
                f"{script} reads {job.index_names[0]}, but names no array; it was on the submit line",
                f"packhorse adopt --array 1-200 {shlex.quote(str(script))}",
            )
        return read_job(script, replace(options, array=answer), here, root, ask)
    if job.indices is not None and len(job.values) > 1 and not job.index_names:
        raise UsageError(
            f"nothing in {script} or the source files here reads the index of the array, so all tasks would be the same",
            "for repetitions with seeds of their own: packhorse init SCRIPT, and replicates in the study",
        )
    return job


def _read(script: Path) -> JobScript:
    try:
        if script.stat().st_size > LARGEST:
            raise UsageError(
                f"{script} has {script.stat().st_size:,} bytes; the limit for a script is {LARGEST:,}"
            )
        data = script.read_bytes()
    except OSError as error:
        raise UsageError(f"{script} cannot be read: {error.strerror}", "packhorse adopt JOB.sh") from None
    if b"\0" in data or not data.strip():
        raise UsageError(f"{script} is {'empty' if not data.strip() else 'binary'}, not a job script")
    if b"\r\n" in data:
        raise UsageError(
            f"{script} has Windows (CRLF) line endings, with which no shell reads it",
            f"sed -i 's/\\r$//' {shlex.quote(str(script))}",
        )
    return JobScript(decode(data), str(script))


class _Sources:
    """Says whether a source file of the project, other than the job script, has a name."""

    def __init__(self, root: Path, here: Path, script: Path) -> None:
        self.root, self.here, self.script = root, here, script.resolve()
        self.text: str | None = None

    def __call__(self, name: str) -> bool:
        if self.text is None:
            self.text = "\n".join(self._texts())
        return re.search(rf"(?<![A-Za-z0-9_]){re.escape(name)}(?![A-Za-z0-9])", self.text) is not None

    def _texts(self) -> list[str]:
        found = []
        for path in sorted(walk(self.root))[:MOST_SOURCES]:
            file = self.root / path
            if file.suffix.lower() in SOURCES and file.resolve() != self.script:
                try:
                    if file.stat().st_size <= LARGEST:
                        found.append(file.read_text("utf-8", "replace"))
                except OSError:
                    continue
        return found
