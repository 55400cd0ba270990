"""Building the work file of a wave from a study and its preparation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from packhorse.execution.preparation import Prepared
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.model.work_file import WorkFile, WorkFunction, WorkResult, WorkResultFile
from packhorse.project.source import Source
from packhorse.study.template import compile_command

PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,80}")
PARAMETER_FILE = re.compile(r"^params\.")


def work_file(
    source: Source,
    prepared: Prepared,
    plan: Plan,
    space: ParameterSpace,
    *,
    everything: bool = False,
    data: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the content of the work file of one wave; `RunDirectory.marked_work` adds the run's id and mark.

    `data` maps the study's data to their paths on the machine that runs the tasks; by default, this one.
    """
    study = source.study
    placed = data or {name: str((source.folder / name).resolve()) for name in study.data}
    command = None
    if not study.function:
        command = compile_command(study.shell or list(prepared.argv), space.names, shell=bool(study.shell))
    result = _result(study, space)
    content = WorkFile(
        wave=plan.wave,
        space=f"space-{plan.space}.json",
        space_digest=plan.space,
        snapshot=f"code-{plan.code}.tar",
        code=plan.code,
        environment=plan.environment,
        root=_root_name(source.root.name),
        folder=source.folder.relative_to(source.root).as_posix(),
        start=source.start.relative_to(source.root).as_posix(),
        links=[(name, placed[name]) for name in study.data],
        inputs={name: placed[path] for name, path in study.inputs.items()},
        python=[prepared.interpreter.python],
        search=list(prepared.search),
        environ=prepared.environ,
        path=list(prepared.path),
        unset=list(prepared.unset),
        cpus=study.resources.cpus,
        gpus=study.resources.gpus,
        memory=study.resources.memory,
        artifacts=list(study.artifacts),
        everything=everything,
        partial=study.partial == "accept",
        index_variable=study.index_variable,
        time_limit=study.time_limit,
        retries=study.retries,
        checkpoint=study.checkpoint,
        warm=study.warm if isinstance(study.warm, str | bool) else list(study.warm),
        total=space.size,
        tee=everything,
        command=command,
        function=_function(study),
        files=_parameter_files([*(command or []), *result.convert]),
        result=result,
    )
    payload: dict[str, Any] = msgspec.to_builtins(content)
    return payload


def _root_name(name: str) -> str:
    """Return the name of the project's folder for working copies, where it breaks no path list and no quoting."""
    return name if PLAIN_NAME.fullmatch(name) else "project"


def _function(study: Study) -> WorkFunction | None:
    if not study.function:
        return None
    module, _, name = study.function.partition(":")
    return WorkFunction(module=module, name=name)


def _result(study: Study, space: ParameterSpace) -> WorkResult:
    result = study.result
    if result.kind != "file":
        return WorkResult(kind=result.kind)
    first, *more = (
        WorkResultFile(file=compile_command([file], space.names, shell=False)[0], format=form)
        for file, form in [(result.file, result.format), *((one.file, one.format) for one in result.more)]
    )
    return WorkResult(
        kind="file",
        file=first.file,
        format=first.format,
        more=more,
        convert=compile_command(result.convert, space.names, shell=False) if result.convert else [],
        header=list(result.header) if isinstance(result.header, tuple) else result.header,
        separator=result.separator,
        decimal=result.decimal,
        encoding=result.encoding,
    )


def _parameter_files(command: Any) -> list[str]:
    """Return the parameter files that a compiled command names."""
    parts = [part for argument in command for part in argument if isinstance(part, dict)]
    return sorted({part["name"] for part in parts if PARAMETER_FILE.match(part["name"])})
