"""Provenance of a run: all facts that its results depend on, as one JSON object."""

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
        "environment": {"digest": environment_digest(software, root), **software},
        "locks": packages.lock_files([folder, root]),
        "machine": machine.describe(env),
        "variables": variables(study.env, env),
        **facts,
    }


def _software(
    languages: Languages, folder: Path, env: Mapping[str, str], cache: Path | None
) -> dict[str, Any]:
    software: dict[str, Any] = {}
    if languages.python:
        software["python"] = packages.python_packages(languages.python, env, cache)
    if languages.rscript:
        software["r"] = packages.r_packages(languages.rscript, folder, env, cache)
    if languages.program:
        software["program"] = _program(Path(languages.program))
    return software


def _program(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return {"path": str(path), "sha256": digest, "bytes": path.stat().st_size}
    except OSError as error:
        return {"path": str(path), "note": f"cannot be read: {error.strerror}"}


def environment_digest(software: Mapping[str, Any], root: Path | None = None) -> str:
    """Return a digest (16 hexadecimal digits) of the installed software: versions of languages and packages, programs.

    It does not depend on the machine, on lock files and paths, on Packhorse itself, or on editable installs from
    `root`, whose code is in the snapshot.
    """
    content: dict[str, Any] = {}
    for language in ("python", "r"):
        if language in software:
            answer = software[language]
            rows = [row for row in answer.get("packages", ()) if not _is_own(row, root)]
            content[language] = {
                "version": answer.get("version"),
                "implementation": answer.get("implementation"),
                "packages": sorted(
                    [_canonical(row["name"]), row["version"], row.get("commit", "")] for row in rows
                ),
            }
    if "program" in software:
        content["program"] = software["program"].get("sha256", software["program"]["path"])
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _is_own(row: Mapping[str, Any], root: Path | None) -> bool:
    if _canonical(row["name"]) == "packhorse":
        return True
    place = str(row.get("editable", "")).removeprefix("file://")
    return bool(place) and root is not None and Path(place).is_relative_to(root)


def _canonical(name: str) -> str:
    """Return a package's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


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
