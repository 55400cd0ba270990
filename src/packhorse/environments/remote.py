"""The task environment of a site reached over ssh: interpreter, programs, packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.environments.build_job import JobBuilds
from packhorse.environments.building import BUILD_SECONDS, Builder
from packhorse.environments.environment_file import BuiltFrom
from packhorse.environments.lockfile import RequiredPackages, providing_packages, required_packages
from packhorse.environments.python import (
    FoundPython,
    best_python,
    built_python,
    check_imports,
    expected_python,
    named_python,
    site_python,
)
from packhorse.environments.r_library import find_r
from packhorse.environments.site_probe import SiteProbe
from packhorse.model.site_python import SitePython
from packhorse.model.study import Study
from packhorse.project.cache_dir import cache_dir
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.record import provenance
from packhorse.record.provenance import Languages, environment_digest
from packhorse.record.software import ProgramFile, PythonSoftware, RSoftware, Software
from packhorse.remote.transport import SshTransport
from packhorse.runtime.interpreter import PYTHON, Interpreter
from packhorse.runtime.programs import BY_SUFFIX, Program, resolve_remote_command


class SiteSoftware(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The software of a site as the provenance has it; `folder`, `lock` and `built` are those of an `Origin`."""

    site: str
    folder: str | None = None
    lock: BuiltFrom | None = None
    built: float | None = None
    python: PythonSoftware | None = None
    r: RSoftware | None = None
    program: ProgramFile | None = None


class RemoteEnvironment(Struct, frozen=True, kw_only=True):
    """What a study's tasks find on a site."""

    interpreter: Interpreter
    programs: dict[str, str]  # paths of the programs that the study's command names, "" for a missing one
    digest: str  # identity of the environment; "" where it is not built yet
    software: SiteSoftware
    notes: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()  # that jobs load in addition to the study's own
    description: tuple[str, ...] = ()  # of Python and R, for `plan`


class RemoteTaskEnvironment:
    """Interpreter, programs and variables of a site reached over ssh; nothing is inherited from this machine."""

    def __init__(self, source: Source, remote_environment: RemoteEnvironment) -> None:
        self.source, self.study, self.remote_environment = source, source.study, remote_environment
        self.interpreter = remote_environment.interpreter
        self.notes, self.path = remote_environment.notes, remote_environment.interpreter.path

    def program(self, command: tuple[str, ...]) -> Program:
        """Return a command whose first word is resolved among the site's programs."""
        return resolve_remote_command(
            command, self.interpreter, self.source.start, self.remote_environment.programs
        )

    def changed(self) -> dict[str, str]:
        """Return the variables that the study sets, and those of its environment there."""
        variables = (*self.interpreter.variables.items(), *self.study.env.items())
        return {name: value for name, value in variables if value is not None}

    def unset(self) -> tuple[str, ...]:
        """Return the variables that tasks do not inherit from their job."""
        names = [name for name, value in self.interpreter.variables.items() if value is None]
        return tuple(sorted([*names, *(name for name, value in self.study.env.items() if value is None)]))

    def editable(self, _argv: tuple[str, ...]) -> Sequence[str]:
        """Return nothing: the project is not installed there."""
        return []

    def provenance(self, _argv: tuple[str, ...], data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the provenance: code, data and this machine as here, the environment as there."""
        record = provenance.collect(
            self.study,
            self.source.root,
            self.source.folder,
            languages=Languages(),
            env={},
            cache=cache_dir(),
            data=data,
        )
        environment = self.remote_environment
        record["environment"] = {**msgspec.to_builtins(environment.software), "digest": environment.digest}
        return record


def find_remote_environment(
    source: Source, place: Place, ssh: SshTransport, reporter: Reporter, *, build: bool = True
) -> RemoteEnvironment:
    """Return what a study's tasks find on the site; raise RunError with a hint where something is missing.

    The session must be open, after `locate`. An environment that does not exist is built; without `build` it is only
    described.
    """
    study = source.study
    probe = SiteProbe(place, ssh, reporter, build=build)
    probe.load()
    python, r = _uses_python(study), _uses_r(study)
    names = _program_names(study)
    probe.find([*names, "python", "python3", "uv"], _named_pythons(study), pythons=python)
    found = _python(probe, source) if python or _needs_environment(probe, study, names) else None
    interpreter = found.interpreter if found else _agent_python(ssh)
    software = Software(python=found.software if found else None)
    description = [interpreter.description] if found else []
    if r:
        found_r = find_r(probe, source)
        interpreter = replace(interpreter, variables=interpreter.variables | found_r.variables)
        software = replace(software, r=found_r.software)
        description.append(f"{found_r.software.version or 'R'}, {found_r.rscript} on {place.site.name}")
    programs = _programs(probe, interpreter, names, python=found is not None)
    if found is None and software.r is None:
        path = next((path for path in programs.values() if path), "")
        software = replace(software, program=ProgramFile(path=path))
    origin = found.origin if found else None
    return RemoteEnvironment(
        interpreter=interpreter,
        programs=programs,
        digest=environment_digest(software, source.root) if found is None or found.software else "",
        software=SiteSoftware(
            site=place.site.name,
            folder=origin.folder if origin else None,
            lock=origin.lock if origin else None,
            built=origin.built if origin else None,
            python=software.python,
            r=software.r,
            program=software.program,
        ),
        notes=found.notes if found else (),
        modules=probe.modules,
        description=tuple(description),
    )


def _python(probe: SiteProbe, source: Source) -> FoundPython:
    """Return the Python of the tasks, with its imports checked."""
    study, reporter = source.study, probe.reporter
    kind, path = study.environment.kind, study.environment.path
    if kind == "python":
        found = named_python(probe, path)
        return _checked(probe, source, found, required_packages(source, reporter, lock="none"))
    if kind == "venv" and (about := _existing_venv(probe, path)):
        found = site_python(probe, about, kind="venv")
        return _checked(probe, source, found, required_packages(source, reporter, lock="none"))
    required = required_packages(source, reporter, lock="write" if probe.build else "make")
    if required.lock is None and kind == "none":
        about, notes = best_python(probe, required)
        if not study.shell or _shell_finds(probe, study.shell, about):
            found = site_python(probe, about, notes=(*notes, *required.notes))
            return _checked(probe, source, found, required)
    builder = _builder(probe)
    if not probe.build:
        found = expected_python(probe, builder, required)
        if not found.software:
            return found
    return _checked(probe, source, built_python(probe, builder, required), required)


def _builder(probe: SiteProbe) -> Builder:
    if probe.site.build_on != "job":
        return Builder(probe.ssh, probe.reporter, None)
    return Builder(probe.ssh, probe.reporter, JobBuilds(probe, BUILD_SECONDS))


def _checked(probe: SiteProbe, source: Source, found: FoundPython, required: RequiredPackages) -> FoundPython:
    """Return a Python with all notes; raise RunError where an imported package is missing."""
    python = found.interpreter.python
    note = check_imports(probe, python, required, lambda modules: providing_packages(source, modules))
    notes = (*found.notes, *required.notes, *([note] if note else []))
    return replace(found, notes=tuple(dict.fromkeys(notes)))


def _existing_venv(probe: SiteProbe, path: str) -> SitePython | None:
    """Return the Python of a virtual environment that the site has; `path` is that of the study."""
    if not path.startswith(("/", "~")):
        return None
    home = str(probe.ssh.hello["home"])
    full = home + path[1:] if path.startswith("~/") else path.rstrip("/")
    return next((python for python in probe.pythons if str(Path(python.python).parent.parent) == full), None)


def _named_pythons(study: Study) -> list[str]:
    """Return the Pythons that a study names, to be looked up on the site."""
    kind, path = study.environment.kind, study.environment.path
    if kind == "python":
        return [path]
    if kind == "venv" and path.startswith(("/", "~")):
        return [f"{path.rstrip('/')}/bin/python"]
    return []


def _shell_finds(probe: SiteProbe, shell: str, about: SitePython) -> bool:
    """Return whether `python` in a shell line is this Python; otherwise its folder must come first on the PATH."""
    names = set(re.findall(r"(?<![\w./-])python3?(?![\w.])", shell))
    return all(probe.programs.get(name) in {about.called, about.python} for name in names)


def _agent_python(ssh: SshTransport) -> Interpreter:
    """Return the Python of the remote agent, for a study that needs none."""
    python = str(ssh.hello["python"])
    return Interpreter(kind="none", python=python, description=f"Python {ssh.hello['version']}, {python}")


# Programs of a study's command


def _program_names(study: Study) -> list[str]:
    """Return the programs that a study may start."""
    if study.function:
        return []
    if study.shell:
        programs = ("Rscript", "R", "julia", "matlab", "bash")
        return [name for name in programs if re.search(rf"\b{name}\b", study.shell)]
    first = study.command[0]
    runner = BY_SUFFIX.get(Path(first).suffix.lower())
    return [name for name in (first, runner) if name and "/" not in name and "{" not in name]


def _uses_python(study: Study) -> bool:
    if study.function or study.environment.kind != "none":
        return True
    if study.shell:
        return bool(re.search(r"\bpython[23]?\b|\.py\b", study.shell))
    word = study.command[0]
    return bool(PYTHON.fullmatch(word)) or word.endswith((".py", ".pyw"))


def _uses_r(study: Study) -> bool:
    if study.shell:
        return bool(re.search(r"\bRscript\b|\bR CMD\b|\.[rR]\b", study.shell))
    return bool(study.command) and (
        study.command[0] in {"Rscript", "R"} or study.command[0].lower().endswith(".r")
    )


def _needs_environment(probe: SiteProbe, study: Study, names: Sequence[str]) -> bool:
    """Return whether the command is a program that only the study's environment can provide."""
    if study.function or study.shell or not names or probe.programs.get(names[0]):
        return False
    if Path(names[0]).suffix or names[0] in {"Rscript", "R"}:
        return False
    probe.find([*probe.programs], pythons=True)
    return True


def _programs(
    probe: SiteProbe, interpreter: Interpreter, names: Sequence[str], *, python: bool
) -> dict[str, str]:
    """Return the paths of programs, those of the environment first."""
    programs = dict(probe.programs)
    if python:
        pythons = (name for name in ("python", "python3", *names) if PYTHON.fullmatch(name))
        programs |= dict.fromkeys(pythons, interpreter.python)
    for name in names if interpreter.path else ():
        path = f"{interpreter.path[0]}/{name}"
        if not PYTHON.fullmatch(name) and probe.ask(["test", "-x", path]).status == 0:
            programs[name] = path
    return programs
