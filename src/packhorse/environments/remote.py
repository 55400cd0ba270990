"""What tasks find on a site that is reached over ssh: its interpreter, its programs, its packages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.environments.building import BUILD_SECONDS, Builder
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
from packhorse.model.study import Study
from packhorse.project.cache_dir import cache_dir
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.transport import SshTransport
from packhorse.runtime.interpreter import PYTHON, Interpreter
from packhorse.runtime.programs import BY_SUFFIX, Program, resolve_remote_command


class RemoteEnvironment(Struct, frozen=True, kw_only=True):
    """The surroundings of a study's tasks on a site."""

    interpreter: Interpreter
    programs: dict[
        str, str
    ]  # where the programs are that the study's command names, "" for one that is not there
    digest: str  # of the environment: another one is another environment to the run; "" where it is yet to be built
    told: dict[str, object]  # for the provenance
    notes: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()  # that jobs have to load beside those that the study names
    said: tuple[str, ...] = ()  # what a plan says of it: which Python, which R


class RemoteTaskEnvironment:
    """Interpreter, programs and variables of a site reached over ssh; nothing is inherited from this machine."""

    def __init__(self, source: Source, remote_environment: RemoteEnvironment) -> None:
        self.source, self.study, self.remote_environment = source, source.study, remote_environment
        self.interpreter = remote_environment.interpreter
        self.notes, self.path = remote_environment.notes, remote_environment.interpreter.path

    def program(self, command: tuple[str, ...]) -> Program:
        """Return a command whose first word is resolved among the site's programs."""
        return resolve_remote_command(
            command, self.interpreter, self.source.folder, self.remote_environment.programs
        )

    def changed(self) -> dict[str, str]:
        """Return the variables that the study sets, and those of its environment there."""
        said = {name: value for name, value in self.study.env.items() if value is not None}
        return {name: value for name, value in self.interpreter.variables.items() if value is not None} | said

    def unset(self) -> tuple[str, ...]:
        """Return the variables that tasks do not inherit from their job."""
        names = [name for name, value in self.interpreter.variables.items() if value is None]
        return tuple(sorted([*names, *(name for name, value in self.study.env.items() if value is None)]))

    def editable(self, _argv: tuple[str, ...]) -> Sequence[str]:
        """Return nothing: the project is not installed there."""
        return []

    def provenance(self, _argv: tuple[str, ...], data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the provenance: code, data and this machine as here, the environment as there."""
        from packhorse.record import provenance
        from packhorse.record.provenance import Languages

        found = provenance.collect(
            self.study,
            self.source.root,
            self.source.folder,
            languages=Languages(),
            env={},
            cache=cache_dir(),
            data=data,
        )
        found["environment"] = {**self.remote_environment.told, "digest": self.remote_environment.digest}
        return found


def find_remote_environment(
    source: Source, place: Place, there: SshTransport, reporter: Reporter, *, build: bool = True
) -> RemoteEnvironment:
    """Return what a study's tasks find on the site; raise RunError with the cure where something is missing.

    Called with a session that is open and has said hello. An environment that is not there is built, unless `build`
    is false: then it is only told where it would be.
    """
    study = source.study
    ground = SiteProbe(place, there, reporter, build=build)
    ground.load()
    python, r = _speaks_python(study), _speaks_r(study)
    words = _words(study)
    ground.find([*words, "python", "python3", "uv"], _places(study), pythons=python)
    found = _python(ground, source) if python or _wants_environment(ground, study, words) else None
    interpreter = found.interpreter if found else _any_python(there)
    software: dict[str, Any] = {"python": found.software} if found and found.software else {}
    said = [interpreter.description] if found else []
    if r:
        with_r = find_r(ground, source)
        interpreter = replace(interpreter, variables=interpreter.variables | with_r.variables)
        software["r"] = with_r.software
        said.append(f"{with_r.software.get('version', 'R')}, {with_r.rscript} on {place.site.name}")
    programs = _programs(ground, interpreter, words, python=found is not None)
    if not software and not found:
        software["program"] = {"path": next((path for path in programs.values() if path), "")}
    told = {"site": place.site.name, **(found.told if found else {}), **software}
    return RemoteEnvironment(
        interpreter=interpreter,
        programs=programs,
        digest=_digest(software, source) if found is None or found.software else "",
        told=told,
        notes=found.notes if found else (),
        modules=ground.modules,
        said=tuple(said),
    )


def _python(ground: SiteProbe, source: Source) -> FoundPython:
    """Return the Python of the tasks."""
    study = source.study
    kind, word = study.environment.kind, study.environment.path
    if kind == "python":
        found = named_python(ground, word)
        return _checked(ground, source, found, required_packages(source, ground.reporter, lock="none"))
    if kind == "venv" and (about := _venv_there(ground, word)):
        found = site_python(ground, about, kind="venv")
        return _checked(ground, source, found, required_packages(source, ground.reporter, lock="none"))
    want = required_packages(source, ground.reporter, lock="kept" if ground.build else "told")
    if want.lock is None and kind == "none":
        about, notes = best_python(ground, want)
        if not study.shell or _is_called(ground, study.shell, about):
            return _checked(ground, source, site_python(ground, about, notes=(*notes, *want.notes)), want)
    builder = _builder(ground)
    if not ground.build:
        found = expected_python(ground, builder, want)
        if not found.software:
            return found
    return _checked(ground, source, built_python(ground, builder, want), want)


def _builder(ground: SiteProbe) -> Builder:
    if ground.site.build_on != "job":
        return Builder(ground.there, ground.reporter, None)
    from packhorse.environments.build_job import JobBuilds

    return Builder(ground.there, ground.reporter, JobBuilds(ground, BUILD_SECONDS))


def _checked(ground: SiteProbe, source: Source, found: FoundPython, want: RequiredPackages) -> FoundPython:
    note = check_imports(
        ground, found.interpreter.python, want, lambda modules: providing_packages(source, modules)
    )
    notes = (*found.notes, *want.notes, *([note] if note else []))
    return replace(found, notes=tuple(dict.fromkeys(notes)))


def _venv_there(ground: SiteProbe, word: str) -> dict[str, Any] | None:
    """Return the Python of a virtual environment that is on the site already."""
    if not word.startswith(("/", "~")):
        return None
    place = _expanded(ground, word)
    return next((one for one in ground.pythons if str(Path(one["python"]).parent.parent) == place), None)


def _expanded(ground: SiteProbe, word: str) -> str:
    home = str(ground.there.hello["home"])
    return home + word[1:] if word.startswith("~/") else word.rstrip("/")


def _places(study: Study) -> list[str]:
    """Return the Pythons that a study names, to be looked at on the site."""
    kind, word = study.environment.kind, study.environment.path
    if kind == "python":
        return [word]
    if kind == "venv" and word.startswith(("/", "~")):
        return [f"{word.rstrip('/')}/bin/python"]
    return []


def _is_called(ground: SiteProbe, shell: str, about: dict[str, Any]) -> bool:
    """Tell whether a shell line's word for Python means this one; else a folder with that word goes first on PATH."""
    words = set(re.findall(r"(?<![\w./-])python3?(?![\w.])", shell))
    return all(ground.programs.get(word) in {about["called"], about["python"]} for word in words)


def _any_python(there: SshTransport) -> Interpreter:
    """Return the Python that answers us, for a study that needs none."""
    python = str(there.hello["python"])
    return Interpreter(kind="none", python=python, description=f"Python {there.hello['version']}, {python}")


# What a study's command names


def _words(study: Study) -> list[str]:
    """Return the programs that a study may start."""
    if study.function:
        return []
    if study.shell:
        return [
            word
            for word in ("Rscript", "R", "julia", "matlab", "bash")
            if re.search(rf"\b{word}\b", study.shell)
        ]
    word = study.command[0]
    runner = BY_SUFFIX.get(Path(word).suffix.lower())
    return [one for one in (word, runner) if one and "/" not in one and "{" not in one]


def _speaks_python(study: Study) -> bool:
    if study.function or study.environment.kind != "none":
        return True
    if study.shell:
        return bool(re.search(r"\bpython[23]?\b|\.py\b", study.shell))
    word = study.command[0]
    return bool(PYTHON.fullmatch(word)) or word.endswith((".py", ".pyw"))


def _speaks_r(study: Study) -> bool:
    if study.shell:
        return bool(re.search(r"\bRscript\b|\bR CMD\b|\.[rR]\b", study.shell))
    return bool(study.command) and (
        study.command[0] in {"Rscript", "R"} or study.command[0].lower().endswith(".r")
    )


def _wants_environment(ground: SiteProbe, study: Study, words: Sequence[str]) -> bool:
    """Tell whether the command is a program that only the study's environment can bring."""
    if study.function or study.shell or not words or ground.programs.get(words[0]):
        return False
    if Path(words[0]).suffix or words[0] in {"Rscript", "R"}:
        return False
    ground.find([*ground.programs], pythons=True)
    return True


def _programs(
    ground: SiteProbe, interpreter: Interpreter, words: Sequence[str], *, python: bool
) -> dict[str, str]:
    """Return where the programs are, those of the environment first."""
    programs = dict(ground.programs)
    if python:
        programs |= {
            word: interpreter.python for word in ("python", "python3", *words) if PYTHON.fullmatch(word)
        }
    lost = [word for word in words if not PYTHON.fullmatch(word) and interpreter.path]
    for word in lost:
        place = f"{interpreter.path[0]}/{word}"
        if ground.ask(["test", "-x", place]).status == 0:
            programs[word] = place
    return programs


def _digest(software: dict[str, Any], source: Source) -> str:
    from packhorse.record.provenance import environment_digest

    return environment_digest(software, source.root)
