"""The work file of a wave: a study and its preparation, in the words that the worker knows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from packhorse.execution.preparation import Prepared
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.project.source import Source
from packhorse.study.template import compile_command

SPECIALS = re.compile(r"^params\.")


def work_file(
    source: Source,
    prepared: Prepared,
    plan: Plan,
    space: ParameterSpace,
    *,
    everything: bool = False,
    data: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return all that a worker needs for one wave; `RunDirectory.owned` adds whose it is.

    `data` says where the study's data stand where tasks run, if that is not here.
    """
    study = source.study
    placed = data or {name: str((source.folder / name).resolve()) for name in study.data}
    return {
        "format": "packhorse-work",
        "version": 1,
        "run": "",
        "mark": "",
        "wave": plan.wave,
        "space": f"space-{plan.space}.json",
        "space_digest": plan.space,
        "snapshot": f"code-{plan.code}.tar",
        "code": plan.code,
        "environment": plan.environment,
        "folder": source.folder.relative_to(source.root).as_posix(),
        "links": [[name, placed[name]] for name in study.data],
        "python": [prepared.interpreter.python],
        "search": list(prepared.search),
        "environ": prepared.environ,
        "path": list(prepared.path),
        "unset": list(prepared.unset),
        "cpus": study.resources.cpus,
        "gpus": study.resources.gpus,
        "memory": study.resources.memory,
        "artifacts": list(study.artifacts),
        "everything": everything,
        "index_variable": msgspec.to_builtins(study.index_variable),
        "time_limit": study.time_limit,
        "retries": study.retries,
        "checkpoint": study.checkpoint,
        "warm": study.warm,
        "total": space.size,
        "look": True,
        "tee": everything,
        **_program(study, prepared, space),
        "result": _result(study, space),
    }


def _program(study: Study, prepared: Prepared, space: ParameterSpace) -> dict[str, Any]:
    """Return the command with its placeholders, or the function, and the parameter files that it names."""
    if study.function:
        module, _, name = study.function.partition(":")
        return {"command": None, "function": {"module": module, "name": name}, "files": []}
    command = compile_command(study.shell or list(prepared.argv), space.names, shell=bool(study.shell))
    return {"command": command, "function": None, "files": _files(command)}


def _result(study: Study, space: ParameterSpace) -> dict[str, Any]:
    if study.result.kind != "file":
        return {"kind": study.result.kind}
    file = compile_command([study.result.file], space.names, shell=False)[0]
    return {"kind": "file", "file": file, "format": study.result.format}


def _files(command: Any) -> list[str]:
    """Return the parameter files that a compiled command names."""
    parts = [part for argument in command for part in argument if isinstance(part, dict)]
    return sorted({part["name"] for part in parts if SPECIALS.match(part["name"])})
