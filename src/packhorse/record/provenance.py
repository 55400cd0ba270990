"""Everything that a result depends on, as one JSON object."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.model.secrets import is_secret_variable
from packhorse.model.study import Study
from packhorse.record import git, machine, packages

FORMAT = "packhorse-provenance"
VERSION = 1


class Languages(Struct, frozen=True, kw_only=True):
    """What runs the tasks: interpreters' paths, or another `program`; empty where it takes no part."""

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
    **said: Any,
) -> dict[str, Any]:
    """Return the provenance of a plan; `said` are further members, such as created, snapshot, data, checks.

    `env` is the environment that tasks start from. Answers of interpreters are remembered in the folder
    `cache`. Nothing here raises: what cannot be learned is said in a `note`.
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
        "environment": {"digest": environment_digest(software, root), **software},
        "locks": packages.lock_files([folder, root]),
        "machine": machine.describe(env),
        "variables": variables(study.env, env),
        **said,
    }


def _software(
    languages: Languages, folder: Path, env: Mapping[str, str], cache: Path | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if languages.python:
        found["python"] = packages.python_packages(languages.python, env, cache)
    if languages.rscript:
        found["r"] = packages.r_packages(languages.rscript, folder, env, cache)
    if languages.program:
        found["program"] = _program(Path(languages.program))
    return found


def _program(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"path": str(path), "sha256": digest, "bytes": path.stat().st_size}
    except OSError as trouble:
        return {"path": str(path), "note": f"cannot be read: {trouble.strerror}"}


def environment_digest(software: Mapping[str, Any], root: Path | None = None) -> str:
    """Return sixteen digits for what is installed: versions of languages and packages, a program's bytes.

    The machine, lock files and paths do not count, nor Packhorse itself, nor projects installed editable
    from `root`: their code is the snapshot's.
    """
    counted: dict[str, Any] = {}
    for language in ("python", "r"):
        if language in software:
            answer = software[language]
            rows = [row for row in answer.get("packages", ()) if not _is_own(row, root)]
            counted[language] = {
                "version": answer.get("version"),
                "implementation": answer.get("implementation"),
                "packages": sorted(
                    [_canonical(row["name"]), row["version"], row.get("commit", "")] for row in rows
                ),
            }
    if "program" in software:
        counted["program"] = software["program"].get("sha256", software["program"]["path"])
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:16]


def _is_own(row: Mapping[str, Any], root: Path | None) -> bool:
    if _canonical(row["name"]) == "packhorse":
        return True
    place = str(row.get("editable", "")).removeprefix("file://")
    return bool(place) and root is not None and Path(place).is_relative_to(root)


def _canonical(name: str) -> str:
    """Return a package's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def variables(wanted: Mapping[str, str | None], env: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return {name: {"value" or "recorded": false}} of the variables that a study names; secrets have no value."""
    found: dict[str, dict[str, Any]] = {}
    for name, given in wanted.items():
        value = env.get(name) if given is None else given
        if value is None:
            found[name] = {"set": False}
        elif is_secret_variable(name, value):
            found[name] = {"set": True, "recorded": False}
        else:
            found[name] = {"set": True, "value": value}
    return found


def _study(study: Study) -> dict[str, Any]:
    """Return the study without its levels, which the space holds, and without values of secrets."""
    built = dict(msgspec.to_builtins(study))
    built["factors"] = [{"names": list(factor.names)} for factor in study.factors]
    if study.env:
        built["env"] = {
            name: "(not recorded)" if value is not None and is_secret_variable(name, value) else value
            for name, value in study.env.items()
        }
    return built


def _own_version() -> str:
    try:
        return version("packhorse")
    except PackageNotFoundError:
        return "unknown"
