"""Make a study of an existing job script: the same work for every index, as tasks."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from packhorse.adopt.job import AdoptedJob
from packhorse.adopt.moved import moved_folders
from packhorse.adopt.named import NotNamed
from packhorse.adopt.outputs import patterns
from packhorse.adopt.study import Draft, script_study
from packhorse.app.studies.adopt_named import from_commands
from packhorse.app.studies.adopt_trial import Tried, tried
from packhorse.jobscript.lines import Edit, decode, encode
from packhorse.jobscript.script import JobScript
from packhorse.model.errors import PackhorseError, StudyError, UsageError
from packhorse.project.run_name import plain_name
from packhorse.project.source import Reader, Source, from_study
from packhorse.rundir.files import write_file
from packhorse.snapshot.project_files import find_root, walk
from packhorse.study.parse import parse_study
from packhorse.study.write import study_text
from packhorse.text.amounts import counted

LARGEST = 1 << 20  # bytes of a script or a source file
MOST_SOURCES = 3000
SOURCES = {".py", ".r", ".jl", ".m", ".pl", ".c", ".cpp", ".cc", ".f90", ".rs", ".go", ".ipynb", ".rmd"}


class AdoptOptions(Struct, frozen=True, kw_only=True):
    """How to adopt a script; `arguments` are those after it on the submit line."""

    arguments: tuple[str, ...] = ()
    array: str = ""
    form: str = "auto"  # script: run it as it is; named: refuse where it cannot be taken apart
    was: str = ""  # the folder of the project in the script's paths
    result: str = ""
    output: Path | None = None
    force: bool = False
    trial: bool = True
    seconds: float = 300.0


class Adopted(Struct, frozen=True, kw_only=True):
    """The study that was written: its source, sentences on how it was made, and what its trial found."""

    source: Source
    path: Path
    named: bool
    sentences: tuple[str, ...]
    trial: Tried | None = None
    failure: str = ""


Ask = Callable[[str, Sequence[str]], str]  # a question and its choices; an empty answer where there is nobody to ask


def adopt(script: Path, options: AdoptOptions, here: Path, ask: Ask) -> Adopted:
    """Write the study of a job script. `here` is the folder in which its job would be submitted.

    Raises UsageError where there cannot be a right study, with the reasons.
    """
    here = here.resolve()
    path = options.output or here / "study.yaml"
    if path.exists() and not options.force:
        raise UsageError(f"{path} exists", "--force replaces it; -o another.yaml writes another file")
    folder, root = path.resolve().parent, find_root(here)
    if folder != here:
        raise UsageError(
            f"the study must be in {here}, where the job is submitted, but -o names a file in {folder}",
            f"cd {shlex.quote(str(folder))}, and name the script from there",
        )
    job = _job(script, options, here, root, ask)
    notes: list[str] = []
    start = _start(job, here, root)
    edits, told = _edits(job, here, root, options.was)
    notes += told
    draft, named = _draft(job, edits, options, start, notes)
    word = _script_word(script, start, root)
    if draft is None:
        if edits:
            copy = here / f"{script.stem}.study{script.suffix}"
            _write_copy(copy, job.edited(edits), script, force=options.force)
            word = os.path.relpath(copy, start)
        draft = script_study(job, [*_interpreter(job), word, *options.arguments], _name(job, script))
    if start != here:
        draft = replace(draft, keys={**draft.keys, "directory": os.path.relpath(start, here)})
    if draft.table is not None:
        _write_new(here / draft.table[0], draft.table[1], force=options.force)
    return _finished(draft, path, here, options, ask, named, notes)


def _finished(
    draft: Draft, path: Path, here: Path, options: AdoptOptions, ask: Ask, named: bool, notes: list[str]
) -> Adopted:
    """Try the study, add its result, and write it."""
    keys, trial, failure = dict(draft.keys), None, ""
    if options.trial:
        try:
            trial = tried(_source(keys, path, here), options.seconds)
            failure = trial.failure
        except PackhorseError as error:
            failure = error.message
    added = _result_keys(trial, options.result, ask, notes)
    keys = {**draft.with_result(str(added.get("result", "none"))), **added}
    source = _source(keys, path, here)
    write_file(path, source.text)
    return Adopted(
        source=replace(source, path=path.resolve()),
        path=path, named=named, sentences=tuple(notes), trial=trial, failure=failure,
    )  # fmt: skip


def _source(keys: dict[str, object], path: Path, here: Path) -> Source:
    text, read = study_text(keys), Reader(here)
    try:
        study = parse_study(text, path=str(path), read=read)
    except StudyError as error:
        raise UsageError(f"no study can be written: {error.message}", error.hint) from None
    return from_study(study, text, here, tuple(read.names))


# --- Reading ---


def _job(script: Path, options: AdoptOptions, here: Path, root: Path, ask: Ask) -> AdoptedJob:
    """Read a job script; ask for its array where only the submit line had it. Raises UsageError."""
    job = AdoptedJob(_read(script), options.arguments, options.array, _Sources(root, here, script))
    if reasons := list(job.refusals()):
        raise UsageError(
            "; ".join(reasons), f"to send it as it is: packhorse submit {shlex.quote(str(script))}"
        )
    if job.uses_arguments and not options.arguments:
        raise UsageError(
            f"{script} reads arguments ($1), and none are given",
            f"write them as after sbatch or qsub: packhorse adopt {shlex.quote(str(script))} ARGUMENT...",
        )
    reads_index = any(re.search(rf"\b{name}\b", job.script.text) for name in job.index_names)
    if job.indices is None and reads_index and not job.ranks:
        answer = ask("Indices of the array, as after --array (such as 1-200)?", ())
        if not answer:
            raise UsageError(
                f"{script} reads {job.index_names[0]}, but names no array; it was on the submit line",
                f"packhorse adopt --array 1-200 {shlex.quote(str(script))}",
            )
        return _job(script, replace(options, array=answer), here, root, ask)
    if job.indices is not None and len(job.values) > 1 and not job.index_names:
        raise UsageError(
            f"neither {script} nor a source file of the project reads the index of the array, so all tasks would be the same",
            "for repetitions with seeds of their own: packhorse init SCRIPT, and replicates in the study",
        )
    return job


def _read(script: Path) -> JobScript:
    try:
        if script.stat().st_size > LARGEST:
            raise UsageError(f"{script} has {script.stat().st_size:,} bytes; the limit for a script is {LARGEST:,}")
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


def _start(job: AdoptedJob, here: Path, root: Path) -> Path:
    """Return the folder in which the job starts."""
    start = Path(os.path.normpath(here / job.start)) if job.start else here
    if not start.is_dir() or not start.resolve().is_relative_to(root):
        raise UsageError(
            f"the job starts in {job.start}, which is not a folder of the project {root}",
            "remove this option from the script, and type packhorse adopt in the folder where the job starts",
        )
    return start


def _script_word(script: Path, start: Path, root: Path) -> str:
    if not script.resolve().is_relative_to(root):
        raise UsageError(
            f"{script} is not in the project {root}, of which tasks have a copy",
            f"cp {shlex.quote(str(script))} {shlex.quote(str(start))}, and adopt the copy",
        )
    return os.path.relpath(script.resolve(), start.resolve())


def _interpreter(job: AdoptedJob) -> list[str]:
    """Return the words before the script's path: those of its first line, else bash."""
    first = job.script.lines[0].text if job.script.lines else ""
    if not first.startswith("#!"):
        return ["bash"]
    words = first[2:].split()
    if not words:
        return ["bash"]
    if words[0].endswith("/env"):
        words = words[2:] if words[1:2] == ["-S"] else words[1:]
    return [words[0].rpartition("/")[2], *words[1:]]


def _name(job: AdoptedJob, script: Path) -> str:
    asked = job.request.name
    return plain_name(asked if re.fullmatch(r"[\w.+-]+", asked) else script.stem)


# --- What changes ---


def _edits(job: AdoptedJob, here: Path, root: Path, was: str) -> tuple[tuple[Edit, ...], list[str]]:
    """Return the changes without which the script cannot run as a task, and a sentence on each."""
    moved, refused = moved_folders(job, str(here), str(root), was, lambda path: Path(path).is_dir())
    if refused:
        raise UsageError(
            "; ".join(refused),
            "where that folder was this project: packhorse adopt --was FOLDER"
            f" {shlex.quote(job.script.path)}; else make the path one of this project",
        )
    edits = (*job.edits, *moved)
    lines = sorted({edit.line for edit in edits})
    after = job.edited(edits).splitlines()
    told = [f"line {number} is changed: {after[number - 1].strip()}" for number in lines]
    return edits, told


def _draft(
    job: AdoptedJob, edits: Sequence[Edit], options: AdoptOptions, start: Path, notes: list[str]
) -> tuple[Draft | None, bool]:
    """Return a study with named parameters; None where the script itself is to run."""
    if options.form == "script" and not job.ranks:
        return None, False
    script = Path(job.script.path)
    try:
        draft = from_commands(job, job.edited(edits), start, _name(job, script), read=Reader(start))
    except NotNamed as reason:
        if options.form == "named":
            raise UsageError(
                f"{script} cannot be taken apart: {reason}", "without --form named it runs as it is"
            ) from None
        if job.ranks:
            raise UsageError(
                f"{script} starts {job.ranks} processes by srun, and its line cannot be taken over: {reason}",
                f"to send it as it is: packhorse submit {shlex.quote(str(script))}",
            ) from None
        notes.append(f"{script.name} runs as it is, since {reason}")
        return None, False
    notes[:] = []
    notes.append("the program is started without the script, with the same arguments for each task")
    return draft, True


def _write_copy(path: Path, text: str, script: Path, *, force: bool) -> None:
    if path.exists() and path.read_bytes() != encode(text) and not force:
        raise UsageError(f"{path} exists, and is not the changed copy of {script}", "--force replaces it")
    write_file(path, encode(text))


def _write_new(path: Path, text: str, *, force: bool) -> None:
    if path.exists() and path.read_text("utf-8", "replace") != text and not force:
        raise UsageError(f"{path} exists, and would have the parameters of the tasks", "--force replaces it")
    write_file(path, text)


# --- The result ---


def _result_keys(trial: Tried | None, given: str, ask: Ask, notes: list[str]) -> dict[str, object]:
    """Return the keys result and artifacts, as far as they are known."""
    if given:
        return {"result": given}
    if trial is None or trial.failure:
        return {}
    readable = list(trial.rows)
    chosen = readable[0] if len(readable) == 1 else ""
    if len(readable) > 1:
        chosen = ask("Which file is the result of a task?", readable)
        if not chosen:
            notes.append(
                f"each task writes {', '.join(readable)}; all are kept as artifacts; for a table: --result FILE"
            )
    for template, why in trial.unreadable.items():
        if not chosen:
            notes.append(f"{template} is kept as an artifact, since it is no table yet: {why}")
    others = [one for one in trial.found if one.template != chosen]
    keys: dict[str, object] = {}
    if chosen:
        keys["result"] = chosen
    elif not trial.prints_json:
        keys["result"] = "none"
    if others:
        keys["artifacts"] = list(patterns(others))
    if not chosen and not others and not trial.prints_json:
        notes.append(f"the tried {counted(len(trial.tasks), 'task')} wrote no file in the project; what tasks print is in their log")
    return keys
