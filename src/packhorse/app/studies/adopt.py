"""Make a study of an existing job script: the same work for every index, as tasks."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse.adopt.job import AdoptedJob
from packhorse.adopt.moved import moved_folders
from packhorse.adopt.named import NotNamedError
from packhorse.adopt.study import Draft, script_study
from packhorse.adopt.surroundings import surroundings_notes
from packhorse.app.studies.adopt_import import Imported, import_finished, result_template
from packhorse.app.studies.adopt_job import AdoptOptions, Ask, read_job
from packhorse.app.studies.adopt_named import from_commands
from packhorse.app.studies.adopt_trial import Tried, result_keys, tried
from packhorse.app.studies.combining_script import compare_combined, existing_results
from packhorse.jobscript.lines import Edit, encode
from packhorse.model.errors import PackhorseError, StudyError, UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.space import ParameterSpace
from packhorse.project.run_name import plain_name
from packhorse.project.source import Reader, Source, from_study
from packhorse.rundir.files import write_file
from packhorse.snapshot.project_files import find_root
from packhorse.study.parse import parse_study
from packhorse.study.write import study_text

# What bash reads and a plain sh does not: https://mywiki.wooledge.org/Bashism
_BASH = re.compile(
    r"^[ \t]*(?:source|declare|let|shopt|mapfile|readarray|function|typeset|pushd|popd)[ \t]|\[\[|<<<|\w\+?=\("
    r"|>&[ \t]*[./\w$\"]*[./A-Za-z$\"]|&>|\|&|[<>]\(|\{\w+\.\.\w+|^[ \t]*(?:for[ \t]*)?\(\(|\$'|\$\[|\$\{!"
    r"|\$\{\w+(?:\[|:\d|:[ \t]-|/|\^|,)|\bread[ \t]+-[aden]|\[[ \t][^]\n]*[ \t]==[ \t]|\bpipefail\b|\$RANDOM\b"
    r"|\becho[ \t]+-e",
    re.MULTILINE,
)


Form = Literal["named", "script"]


class AdoptReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-adopt/1"):
    """The study that was written for a job script."""

    study: Annotated[str, Meta(description="Path of the study file.")]
    tasks: Annotated[int, Meta(description="Tasks of the study.")]
    parameters: Annotated[tuple[str, ...], Meta(description="Names of its parameters.")]
    form: Annotated[
        Form, Meta(description="named: a task starts the program itself; script: it runs the script.")
    ]
    result: Annotated[str, Meta(description="The file with a task's result; empty: none.")]
    notes: Annotated[tuple[str, ...], Meta(description="What is changed, and what differs from the job.")]
    tried: Annotated[tuple[str, ...], Meta(description="The tasks that were tried, by their parameters.")]
    failure: Annotated[str, Meta(description="Why a tried task failed; empty: none did.")]
    taken_in: Annotated[int, Meta(description="Tasks whose finished results were taken in.")] = 0
    combined: Annotated[str, Meta(description="How the table of --combine compares; empty: not asked.")] = ""
    same_table: Annotated[
        bool | None, Meta(description="Whether that table is the same; null: not asked.")
    ] = None


class Adopted(Struct, frozen=True, kw_only=True):
    """The study that was written: its source, sentences on how it was made, and what its trial found."""

    source: Source
    path: Path
    sentences: tuple[str, ...]
    form: Form = "named"
    trial: Tried | None = None
    failure: str = ""
    imported: Imported | None = None
    combined: tuple[str, bool] | None = (
        None  # a sentence on the combining script, and whether its table is the same
    )

    @property
    def failed(self) -> bool:
        """Whether a tried task failed, or the table of the combining script is not the same."""
        return bool(self.failure) or (self.combined is not None and not self.combined[1])

    @property
    def report(self) -> AdoptReport:
        """The object that `--json` prints."""
        space = ParameterSpace.of(self.source.study)
        sentence, same = self.combined or ("", None)
        return AdoptReport(
            study=str(self.path),
            tasks=space.size,
            parameters=tuple(space.names),
            form=self.form,
            result=self.source.study.result.file,
            notes=(*self.sentences, *(self.imported.notes if self.imported else ())),
            tried=self.trial.tasks if self.trial else (),
            failure=self.failure,
            taken_in=self.imported.taken if self.imported else 0,
            combined=sentence,
            same_table=same,
        )


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
    job = read_job(script, options, here, root, ask)
    notes: list[str] = []
    start = _start(job, here, root)
    edits, changed = _edits(job, here, root, options.was)
    notes += changed
    draft = _draft(job, edits, options, start, notes)
    notes += surroundings_notes(job, str(root), options.was, str(Path.home()))
    word = _script_word(script, start, root)
    form: Form = "script" if draft is None else "named"
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
    return replace(_finished(draft, path, options, ask, notes), form=form)


def _finished(draft: Draft, path: Path, options: AdoptOptions, ask: Ask, notes: list[str]) -> Adopted:
    """Try the study, add its result, and write it."""
    here = path.resolve().parent
    keys, trial, failure = dict(draft.keys), None, ""
    if options.trial:
        try:
            trial = tried(_source(keys, path, here), options.seconds)
            failure = trial.failure
        except PackhorseError as error:
            failure = error.message
    if options.results:
        plain = ParameterSpace.of(_source(keys, path, here).study)
        options = replace(options, result=options.result or result_template(options.results, plain, here))
    added = result_keys(trial, options.result, ask, notes)
    keys = {**draft.with_result(str(added.get("result", "none"))), **added}
    if options.combine:
        keys["combine"] = _combining_script(options.combine, here)
    source = replace(_source(keys, path, here), path=path.resolve())
    imported = import_finished(source, options.results) if options.results else None
    write_file(path, source.text)
    combined = _combined(source, options, trial, imported) if options.combine else None
    return Adopted(
        source=source, imported=imported, combined=combined,
        path=path, sentences=tuple(notes), trial=trial, failure=failure,
    )  # fmt: skip


def _source(keys: dict[str, object], path: Path, here: Path) -> Source:
    text, read = study_text(keys), Reader(here)
    try:
        study = parse_study(text, path=str(path), read=read)
    except StudyError as error:
        raise UsageError(f"no study can be written: {error.message}", error.hint) from None
    return from_study(study, text, here, tuple(read.names))


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
    """Return the parts before the script's path: those of its first line, else bash."""
    first = job.script.lines[0].text if job.script.lines else ""
    if not first.startswith("#!"):
        return ["bash"]
    parts = first[2:].split()
    if not parts:
        return ["bash"]
    if parts[0].endswith("/env"):
        parts = parts[2:] if parts[1:2] == ["-S"] else parts[1:]
    name = parts[0].rpartition("/")[2]
    # On most clusters sh is bash, and such a script was written for that.
    return ["bash" if name == "sh" and _BASH.search(job.script.text) else name, *parts[1:]]


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
    changed = [f"line {number} is changed: {after[number - 1].strip()}" for number in lines]
    return edits, changed


def _draft(
    job: AdoptedJob, edits: Sequence[Edit], options: AdoptOptions, start: Path, notes: list[str]
) -> Draft | None:
    """Return a study with named parameters; None where the script itself is to run."""
    if options.form == "script" and not job.ranks:
        return None
    script = Path(job.script.path)
    try:
        draft = from_commands(job, job.edited(edits), start, _name(job, script), read=Reader(start))
    except NotNamedError as reason:
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
        return None
    notes[:] = []
    notes.append("the program is started without the script, with the same arguments for each task")
    return draft


def _write_copy(path: Path, text: str, script: Path, *, force: bool) -> None:
    if path.exists() and path.read_bytes() != encode(text) and not force:
        raise UsageError(f"{path} exists, and is not the changed copy of {script}", "--force replaces it")
    write_file(path, encode(text))


def _write_new(path: Path, text: str, *, force: bool) -> None:
    if path.exists() and path.read_text("utf-8", "replace") != text and not force:
        raise UsageError(f"{path} exists, and would have the parameters of the tasks", "--force replaces it")
    write_file(path, text)


def _combining_script(script: Path, here: Path) -> str:
    """Return the path of the combining script from the study's folder."""
    if not script.resolve().is_relative_to(find_root(here)):
        raise UsageError(
            f"{script} is not in the project {find_root(here)}", "name a script of the project with --combine"
        )
    return os.path.relpath(script.resolve(), here)


def _combined(
    source: Source, options: AdoptOptions, trial: Tried | None, imported: Imported | None
) -> tuple[str, bool]:
    """Compare the table of the combining script with the results that were taken in, else with those of the trial."""
    assert options.combine is not None
    folder = source.folder
    if imported and imported.files:
        files = {one.path: (folder / one.path).read_bytes() for one in imported.files}
        rows = [dict(row) for one in imported.files for row in one.rows]
    elif trial and source.study.result.file in trial.contents:
        files = trial.contents[source.study.result.file]
        rows = [row for task in trial.rows[source.study.result.file] for row in task]
    else:
        return f"{options.combine.name} was not compared, since there are no results yet", False
    return compare_combined(source, options.combine, files, rows, existing_results(source))
