"""What a job script tells about the script that it runs, and that script about the job script."""

from __future__ import annotations

import os
import re
from pathlib import Path

from msgspec.structs import replace

from packhorse.schedulers.pbs.header import read_header as read_pbs
from packhorse.schedulers.slurm.header import read_header as read_slurm
from packhorse.study.discover.cores.use import CoreUse
from packhorse.study.discover.discovered import Discovered
from packhorse.study.discover.draft import discover
from packhorse.study.discover.files.python import TABLES
from packhorse.study.discover.files.template import known_format
from packhorse.study.discover.job_script import (
    SUFFIXES,
    JobRequest,
    ScriptCall,
    index_position,
    is_job_script,
    loaded_modules,
    other_array,
    script_calls,
    submit_folder_change,
)
from packhorse.study.discover.script import ARRAYS, Parameter, WrittenFile

PLACES = (".", "jobs", "job", "scripts", "slurm", "pbs", "submit", "hpc", "cluster", "..")  # of job scripts
MOST_SCRIPTS, LARGEST = 200, 100_000  # files in one folder, and bytes


def with_job_script(found: Discovered, source: str, script: Path, folder: Path) -> Discovered:
    """Return what was found in a script, with what its job script asks for, or with what a job script runs."""
    if is_job_script(source):
        return _with_called(replace(found, request=_request(source, script.name)), source, script, folder)
    jobs = [(path, text, call) for path, text in _near(script) for call in _calls_of(text, script)]
    if len(jobs) != 1:
        return found  # without a job script, or with several, which may ask for different things
    path, text, call = jobs[0]
    request = _request(text, os.path.relpath(path, script.resolve().parent))
    position = index_position(call)
    if position is not None and request.indices and not found.facts.index:
        index = _parameter_at(found, call, position)
        taken = [
            replace(p, role="parameter", kind="int") if p.name == index else p for p in found.facts.parameters
        ]
        found = replace(found, facts=replace(found.facts, index=index, parameters=tuple(taken)))
    if not found.facts.index:
        request = replace(request, indices=())
    return replace(found, request=request)


def _request(text: str, name: str) -> JobRequest:
    """Return what the lines of a script for Slurm, TORQUE or PBS ask for."""
    asked = (read_slurm(text) if "#SBATCH" in text else read_pbs(text)).request
    memory = asked.memory or (asked.core_memory and asked.core_memory * asked.cores)
    return JobRequest(
        source=name,
        indices=asked.indices or other_array(text),
        cpus=asked.cores if asked.nodes == 1 else 0,
        memory=memory,
        seconds=asked.seconds,
        gpus=asked.gpus,
        modules=loaded_modules(text),
    )


def _near(script: Path) -> list[tuple[Path, str]]:
    """Return the job scripts in folders where people keep them, and their texts."""
    found: dict[Path, str] = {}
    for place in PLACES:
        folder = script.parent / place
        try:
            paths = [
                path for path in sorted(folder.iterdir())[:MOST_SCRIPTS] if path.suffix.lower() in SUFFIXES
            ]
            texts = [
                (p.resolve(), p.read_text("utf-8", "replace")) for p in paths if p.stat().st_size < LARGEST
            ]
        except OSError:
            continue
        found.update((path, text) for path, text in texts if is_job_script(text))
    return list(found.items())


def _calls_of(text: str, script: Path) -> list[ScriptCall]:
    """Return the line by which a job script runs a script, if that is one."""
    lines = [call for call in script_calls(text) if Path(call.script).name == script.name]
    return lines if len(lines) == 1 else []


def _parameter_at(found: Discovered, call: ScriptCall, position: int) -> str:
    """Return the parameter that gets an argument of a call; empty if it is not known."""
    given = call.arguments
    named = [p for p in found.facts.parameters if p.role in {"parameter", "optional"} and p.flag]
    before = given[position - 1] if position else ""
    by_flag = next((p.name for p in named if before and before == p.flag), "")
    plain: list[Parameter] = [p for p in found.facts.parameters if not p.flag]
    return by_flag or (plain[position].name if position < len(plain) and not named else "")


def _with_called(found: Discovered, source: str, script: Path, folder: Path) -> Discovered:
    """Return what was found in a job script, with the files, seeds and cores of the one script that it runs."""
    notes = list(found.notes)
    if moved := submit_folder_change(source):
        notes.append(
            f"{script.name}, line {moved[1]}: cd ${moved[0]} leaves the task's own copy of the project;"
            " remove this line, since tasks start in the folder of the study"
        )
    calls = script_calls(source)
    places = [place / call.script for call in calls for place in (folder, script.parent)]
    path = next((place for place in places if place.is_file()), None)
    if path is None or len({call.script for call in calls}) != 1:
        return replace(found, notes=tuple(notes))
    text = path.read_text("utf-8", "replace")
    position = index_position(calls[0])
    inner = discover(text, calls[0].script)
    index = found.facts.index
    named = _parameter_at(inner, calls[0], position) if position is not None and index else ""
    index = named or inner.facts.index or index
    given = _given(inner, calls[0], index)
    inside = tuple(_as_called(file, given, index) for file in inner.facts.files)
    facts = replace(
        found.facts,
        files=found.facts.files or inside,
        index=index,
        prints=inner.facts.prints,
        seed32=inner.facts.seed32,
    )
    variable = found.index_variable or inner.index_variable
    cores = inner.cores if inner.cores.count else CoreUse()
    return replace(
        found,
        facts=facts,
        index_variable=variable,
        seeds=inner.seeds,
        cores=cores,
        notes=tuple(notes),
        called=path.name,
    )


def _given(found: Discovered, call: ScriptCall, index: str) -> dict[str, str]:
    """Return what a call gives to the parameters of a script, as templates: {index} for the number of the element."""
    plain = [p.name for p in found.facts.parameters if not p.flag]
    flags = {p.flag: p.name for p in found.facts.parameters if p.flag}
    given: dict[str, str] = {}
    rest = iter(call.arguments)
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if flag in flags:
            given[flags[flag]] = value if equals else next(rest, "")
        elif plain and not argument.startswith("-"):
            given[plain.pop(0)] = argument
    number = re.compile(rf"\$(?:{'|'.join(ARRAYS)})\b|\$\{{(?:{'|'.join(ARRAYS)})\}}")
    texts = {name: number.sub("{" + index + "}" if index else "*", text) for name, text in given.items()}
    return {name: re.sub(r"\$\w+|\$\{[^}]*\}|\$\([^)]*\)|`[^`]*`", "*", text) for name, text in texts.items()}


def _as_called(file: WrittenFile, given: dict[str, str], index: str) -> WrittenFile:
    """Return a file of a script with the name that it has in a call.

    Of the script's own parameters, the study of its job script has the index alone.
    """

    def fill(match: re.Match[str]) -> str:
        name = match[1].partition(":")[0]
        return match[0] if name == index else given.get(name, "*")

    path = re.sub(r"\{([^{}]*)\}", fill, file.path)
    if path == file.path or not known_format(path):
        return replace(file, path=path)
    header = file.header if known_format(path) in TABLES else ()
    return replace(file, path=path, format="", header=header)
