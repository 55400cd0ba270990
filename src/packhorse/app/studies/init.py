"""Write a study file for a script, a notebook or a document."""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.app.studies.init_job_script import with_job_script
from packhorse.model.command import Command
from packhorse.model.errors import PackhorseError, StudyError, UsageError
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Environment, Study
from packhorse.project.source import from_file
from packhorse.runtime.dialogue import run_command
from packhorse.runtime.interpreter import resolve
from packhorse.snapshot.project_files import find_root
from packhorse.study.discover.discovered import Discovered
from packhorse.study.discover.documents.draft import document_lines
from packhorse.study.discover.documents.reader import SUFFIXES as DOCUMENTS
from packhorse.study.discover.documents.reader import read_document
from packhorse.study.discover.draft import discover, study_lines
from packhorse.study.discover.first_test import find_function, first_test
from packhorse.study.discover.places import (
    absolute_path_note,
    literals,
    relative_import,
    relative_paths,
    working_folder,
)
from packhorse.study.discover.script import Parameter
from packhorse.study.discover.settings import as_parameter, hydra_config
from packhorse.text.amounts import counted
from packhorse.text.node import plain
from packhorse.text.yaml import parse_yaml

# A folder with one of these is the root of a project.
MARKS = (".git", ".here", "pyproject.toml", "setup.py", "DESCRIPTION", "renv.lock", "*.Rproj")
DEEPEST = 12  # folders above a script in which its paths are looked for
LARGEST_CONFIG = 1 << 20  # bytes


class Written(Struct, frozen=True, kw_only=True):
    """A study file that was written: its path, what was found in the script, and notes for its author."""

    path: Path
    found: str
    notes: tuple[str, ...]


def write_study(
    script: Path, output: Path | None, subcommand: tuple[str, ...], *, here: Path, force: bool
) -> Written:
    """Write a study for a script; `subcommand` chooses one of its subcommands, and `here` is the current folder.

    Raises UsageError where the script cannot be read, where a command cannot set its values, where it has subcommands and
    none is chosen, and where the study exists.
    """
    try:
        source = script.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{script} cannot be read: {error.strerror}", "packhorse init SCRIPT") from None
    suffix = script.suffix.lower()
    levels = relative_import(source) if suffix == ".py" else 0
    folder = output.parent if output else script.parent
    path = output or folder / "study.yaml"
    if suffix in DOCUMENTS:
        shown = _shown(path, here)
        text, parameters, notes = _document(source, _relative(script, folder), script, shown)
    else:
        folder = output.parent if output else _folder(script, source, levels, here)
        path = output or folder / "study.yaml"
        found = _found(
            source, script, folder, subcommand, _module(_relative(script, folder)) if levels else ""
        )
        found = replace(found, study_file=_shown(path, here))
        text, parameters, notes = study_lines(found), found.facts.parameters, found.notes
    if path.exists() and not force:
        typed = shlex.join([str(script), *subcommand])
        raise UsageError(f"{path} exists", f"packhorse init {typed} --force, or -o another.yaml")
    path.write_text(text, encoding="utf-8")
    if not output and folder.resolve() != script.resolve().parent:
        why = (
            "its relative imports need the folder above the package"
            if levels
            else "its files are found from there"
        )
        notes = (*notes, f"the study is in {folder}, not beside {script.name}: {why}")
    return Written(path=path, found=_sentence(parameters, text), notes=notes)


def _shown(path: Path, here: Path) -> str:
    """Return a path as a command can name it from the current folder."""
    return os.path.relpath(path, here) if path.is_absolute() and path.is_relative_to(here) else str(path)


def _sentence(parameters: tuple[Parameter, ...], text: str) -> str:
    """Return what was found, as a sentence for the terminal; `text` is the study."""
    names = [p.name for p in parameters if p.role == "parameter"]
    if index := re.search(r"^index_variable: \{.*parameter: ([\w.-]+)", text, re.MULTILINE):
        names = list(dict.fromkeys([*names, index[1]]))
    optional = [p.flag for p in parameters if p.role == "optional"]
    sentence = f"parameters {', '.join(names)}" if names else "no parameters found in the script"
    if optional and not names:
        sentence = f"no parameters with a value, but options: {', '.join(optional)}"
    if required := text.count(": CHANGE-ME"):
        sentence += f"; {counted(required, 'value')} to write: CHANGE-ME"
    return sentence


def _relative(script: Path, folder: Path) -> str:
    return Path(os.path.relpath(script.resolve(), folder.resolve())).as_posix()


def _document(
    source: str, filename: str, script: Path, study_file: str
) -> tuple[str, tuple[Parameter, ...], tuple[str, ...]]:
    document = read_document(source, script.name)
    if document.problem:
        raise UsageError(document.problem, document.hint.replace("SCRIPT", str(script)))
    suffix = ".py" if document.language.startswith("python") else ""
    notes = _path_notes(script, literals(document.code, suffix))
    return document_lines(document, filename, notes, study_file), document.parameters, notes


def _found(source: str, script: Path, folder: Path, subcommand: tuple[str, ...], module: str) -> Discovered:
    """Return what a script shows, with what its job script and its files of settings add."""
    try:
        found = discover(source, _relative(script, folder), subcommand)
    except UsageError as error:
        message = error.message.replace("the script", script.name)
        raise UsageError(message, error.hint.replace("SCRIPT", str(script))) from None
    texts = literals(source, script.suffix.lower())
    found = with_job_script(_with_hydra(found, source, script), source, script, folder)
    return replace(
        found,
        notes=(*found.notes, *_path_notes(script, texts)),
        module=module,
        settings=_settings(found, script, folder),
        data=_outside_data(texts, folder),
    )


def _module(filename: str) -> str:
    parts = Path(filename).with_suffix("").parts
    return ".".join(part for part in parts if part != "__main__")


# --- Where the study belongs ---


def _folder(script: Path, source: str, levels: int, here: Path) -> Path:
    """Return the folder of the study: where the author runs the script, as its imports and paths show it."""
    beside = script.parent
    if levels:
        return _above_package(script, levels)
    ancestors = [str(folder) for folder in _ancestors(script, here.resolve())]
    paths = relative_paths(literals(source, script.suffix.lower()))
    chosen = working_folder(paths, ancestors, lambda folder, path: Path(folder, path).exists())
    return beside if chosen == 0 else Path(os.path.relpath(ancestors[chosen]))


def _above_package(script: Path, levels: int) -> Path:
    """Return the folder above the package that a script's relative imports need."""
    folder = script.resolve().parent
    above = folder
    for _ in range(levels):
        above = above.parent
    while (above / "__init__.py").exists() and above != above.parent:
        above = above.parent
    return Path(os.path.relpath(above))


def _ancestors(script: Path, here: Path) -> list[Path]:
    """Return the folders from the script's up to the root of its project; without one, up to the current folder."""
    folder = script.resolve().parent
    home = Path.home().resolve()
    above = [folder]
    for parent in list(folder.parents)[:DEEPEST]:
        if parent in {home, parent.parent}:
            break
        above.append(parent)
    for number, candidate in enumerate(above):
        if any(any(candidate.glob(mark)) for mark in MARKS):
            return above[: number + 1]
    return above[: above.index(here) + 1] if here in above else [folder]


# --- What the author must know ---


def _path_notes(script: Path, texts: list[tuple[int, str]]) -> tuple[str, ...]:
    text = absolute_path_note(script.name, texts)
    return (text,) if text else ()


def _outside_data(texts: list[tuple[int, str]], folder: Path) -> tuple[str, ...]:
    """Return the folders outside of the project with files that a script names: tasks need them as data."""
    root, place = find_root(folder), folder.resolve()
    found = []
    for name in relative_paths(texts):
        path = Path(os.path.normpath(place / name))
        if name.startswith("../") and path.exists() and not path.is_relative_to(root):
            found.append(os.path.relpath(path if path.is_dir() else path.parent, place))
    return tuple(dict.fromkeys(found))


# --- Files of settings ---


def _settings(found: Discovered, script: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the values in the files of settings that exist, by their names in the script."""
    settings = {}
    for config in found.facts.configs:
        values = next((v for base in (folder, script.parent) if (v := _values(base / config.path))), {})
        settings[config.path] = values
    return settings


def _values(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes()[:LARGEST_CONFIG].decode("utf-8")
        if path.suffix == ".toml":
            return dict(tomllib.loads(text))
        if path.suffix == ".json":
            values = json.loads(text)
        elif path.suffix in {".yaml", ".yml"}:
            values = plain(parse_yaml(text, path.name))
        else:
            return {}
    except (OSError, ValueError, StudyError, RecursionError):
        return {}
    return dict(values) if isinstance(values, dict) else {}


def _with_hydra(found: Discovered, source: str, script: Path) -> Discovered:
    """Return what was found with the settings of a script of Hydra as parameters, which it takes as name=value."""
    if not found.facts.hydra:
        return found
    values = _values(script.parent / hydra_config(source))
    parameters = [p for name, value in _flat(values, "") if (p := as_parameter(name, value)) is not None]
    return replace(found, facts=replace(found.facts, parameters=tuple(parameters)))


def _flat(values: dict[str, Any], before: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        elif name != "defaults" and "hydra" not in before:
            found.append((before + name, value))
    return found


# --- A first unit test ---

TEST_SECONDS = 600.0  # for a test that calls the function 200 times
TEST_RUNS: dict[str, tuple[str, ...]] = {
    "pytest": ("-m", "pytest", "-q", "-rs"),
    "unittest": ("-m", "unittest", "-v"),
    "testthat": ("-e", "testthat::test_file(commandArgs(TRUE)[1], stop_on_failure = TRUE)"),
}


class WrittenTest(Struct, frozen=True, kw_only=True):
    """A test file that was written and has run: its path, what it printed, whether it passed, and notes."""

    path: Path
    printed: str
    passed: bool
    notes: tuple[str, ...]


def write_first_test(target: str, *, force: bool) -> WrittenTest:
    """Write a first test of a function, FILE:FUNCTION, and run it.

    Arguments and the true value come from study.yaml beside the file, if there is one that has them. Raises
    UsageError where there is no such function, and where the test exists.
    """
    file, _, name = target.rpartition(":")
    path = Path(file)
    if not name or path.suffix.lower() not in (".py", ".r"):
        message = f"{target} does not name a function of a Python or R file"
        raise UsageError(message, "packhorse init --test sim.py:estimate")
    try:
        source = path.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", f"ls {path.parent}") from None
    function = find_function(source, path.name, name)
    try:
        study: Study | None = from_file(path.parent / "study.yaml").study
    except PackhorseError:
        study = None  # a study that is not there, or that its author has not finished
    framework, program = _framework(path, study)
    draft = first_test(function, framework, ParameterSpace.of(study)[0] if study else {}, _known(study))
    written = path.parent / draft.file
    if written.exists() and not force:
        raise UsageError(f"{written} exists", f"packhorse init --test {shlex.quote(target)} --force")
    written.write_text(draft.text, encoding="utf-8")
    argv = (*TEST_RUNS[framework], draft.file)
    folder = str(path.parent.resolve())
    done = run_command(Command(argv=(program, *argv), folder=folder, timeout=TEST_SECONDS))
    notes = [f"{name} is 10 for now: write a value for which the result is known" for name in draft.guessed]
    if not draft.has_known:
        notes.append("the case with a known result is skipped until its value is written in the file")
    check = shlex.join(["Rscript" if framework == "testthat" else "python", *argv])
    notes.append(f"to run it before each study: checks: [{json.dumps(check)}]")
    printed = (done.stdout + done.stderr).strip()
    return WrittenTest(path=written, printed=printed, passed=done.status == 0, notes=tuple(notes))


def _framework(path: Path, study: Study | None) -> tuple[str, str]:
    """Return the framework of a test, and the program that runs it: pytest where the tasks' Python has it."""
    if path.suffix.lower() == ".r":
        return "testthat", "Rscript"
    environment = study.environment if study else Environment()
    python = resolve(environment, path.parent.resolve(), env=os.environ).python
    found = run_command(Command(argv=(python, "-m", "pytest", "--version")))
    return ("pytest" if found.status == 0 else "unittest"), python


def _known(study: Study | None) -> dict[str, float]:
    """Return the true value of the estimate, where the study has one number for all cells."""
    summary = study.summary if study else None
    if summary is None or not isinstance(summary.truth, float):
        return {}
    return {summary.estimate: summary.truth}
