"""Provenance of a run: all facts that its results depend on, as one JSON object."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.model.secrets import is_secret_variable
from packhorse.model.study import Study
from packhorse.record import git, machine, packages
from packhorse.record.software import Package, ProgramFile, Software, canonical

FORMAT = "packhorse-provenance"
VERSION = 1


class Languages(Struct, frozen=True, kw_only=True):
    """Paths of the interpreters that run the tasks, or of another `program`; "" for those that are not used."""

    python: str = ""
    rscript: str = ""
    program: str = ""


def collect(
    study: Study,
    root: Path,
    folder: Path,
    *,
    languages: Languages,
    env: Mapping[str, str],
    cache: Path | None = None,
    **facts: Any,
) -> dict[str, Any]:
    """Return the provenance of a plan; `facts` are further members, such as created, snapshot, data, checks.

    `env` are the variables that tasks start with. Replies of interpreters are cached in the folder `cache`.
    This never raises: a `note` gives the reason for missing facts.
    """
    software = _software(languages, folder, env, cache)
    return {
        "format": FORMAT,
        "version": VERSION,
        "packhorse": _own_version(),
        "study": _study(study),
        "root": str(root),
        "folder": str(folder),
        "git": git.git_state(root),
        "environment": {"digest": environment_digest(software, root), **msgspec.to_builtins(software)},
        "locks": packages.lock_files([folder, root]),
        "machine": machine.describe(env),
        "variables": variables(study.env, env),
        **facts,
    }


def _software(languages: Languages, folder: Path, env: Mapping[str, str], cache: Path | None) -> Software:
    python, rscript, program = languages.python, languages.rscript, languages.program
    return Software(
        python=packages.python_packages(python, env, cache) if python else None,
        r=packages.r_packages(rscript, folder, env, cache) if rscript else None,
        program=_program(Path(program)) if program else None,
    )


def _program(path: Path) -> ProgramFile:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return ProgramFile(path=str(path), sha256=digest, bytes=path.stat().st_size)
    except OSError as error:
        return ProgramFile(path=str(path), note=f"cannot be read: {error.strerror}")


def environment_digest(software: Software, root: Path | None = None) -> str:
    """Return a digest (16 hexadecimal digits) of the installed software: versions of languages and packages, programs.

    It does not depend on the machine, on lock files and paths, on Packhorse itself, or on editable installs from
    `root`, whose code is in the snapshot.
    """
    content: dict[str, object] = {}
    if software.python is not None:
        content["python"] = {
            "version": software.python.version,
            "implementation": software.python.implementation,
            "packages": _versions(software.python.packages, root),
        }
    if software.r is not None:
        content["r"] = {
            "version": software.r.version,
            "implementation": None,
            "packages": _versions(software.r.packages, root),
        }
    if software.program is not None:
        content["program"] = software.program.sha256 or software.program.path
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _versions(installed: Iterable[Package] | None, root: Path | None) -> list[list[str | None]]:
    """Return name, version and commit of each package that a digest counts."""
    counted = (package for package in installed or () if not _is_own(package, root))
    rows = [[canonical(package.name), package.version, package.commit or ""] for package in counted]
    return sorted(rows, key=lambda row: [text or "" for text in row])


def _is_own(package: Package, root: Path | None) -> bool:
    if canonical(package.name) == "packhorse":
        return True
    place = (package.editable or "").removeprefix("file://")
    return bool(place) and root is not None and Path(place).is_relative_to(root)


def variables(named: Mapping[str, str | None], env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the variables that a study names, each with `set` and `value`; a secret has no value.

    A name with the value None is inherited from `env`.
    """
    facts: dict[str, dict[str, Any]] = {}
    for name, given in named.items():
        value = env.get(name) if given is None else given
        if value is None:
            facts[name] = {"set": False}
        elif is_secret_variable(name, value):
            facts[name] = {"set": True, "recorded": False}
        else:
            facts[name] = {"set": True, "value": value}
    return facts


def _study(study: Study) -> dict[str, Any]:
    """Return the study without its levels, which the space file has, and without values of secrets."""
    members = dict(msgspec.to_builtins(study))
    members["factors"] = [{"names": list(factor.names)} for factor in study.factors]
    if study.env:
        members["env"] = {
            name: "(not recorded)" if value is not None and is_secret_variable(name, value) else value
            for name, value in study.env.items()
        }
    return members


def _own_version() -> str:
    try:
        return version("packhorse")
    except PackageNotFoundError:
        return "unknown"
