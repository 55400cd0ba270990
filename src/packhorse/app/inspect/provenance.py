"""The provenance of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from packhorse.model.json_output import JsonOutput
from packhorse.rundata.replicates_until import FILE as UNTIL
from packhorse.rundata.warm_start import WarmStart, warm_start
from packhorse.rundir.directory import find_run

Members = dict[str, Any] | UnsetType


class WavePlan(Struct, frozen=True, kw_only=True):
    """The plan of one wave."""

    wave: Annotated[int, Meta(description="The number of the wave, from 1.")]
    kind: Annotated[str, Meta(description="run, retry or rerun.")]
    tasks: Annotated[int, Meta(description="Tasks in the wave.")]
    code: Annotated[str, Meta(description="The digest of the code.")]
    environment: Annotated[str, Meta(description="The digest of the environment.")]
    data: Annotated[str, Meta(description="The digest of the data.")]
    unchecked: Annotated[bool, Meta(description="Whether --unchecked skipped the study's checks.")]
    created: Annotated[str, Meta(description="When it was planned, ISO 8601.")]


class Provenance(JsonOutput, frozen=True, kw_only=True, tag="packhorse-provenance"):
    """What made the results of a run: `provenance.json` of the run directory, the plans of its waves, its checks.

    The format is that of the file, so the version is a key of its own.
    """

    version: Annotated[int, Meta(description="The version of these keys.")] = 1
    packhorse: Annotated[str | UnsetType, Meta(description="The version of Packhorse.")] = UNSET
    study: Annotated[dict[str, Any], Meta(description="The study, without the values of secrets.")]
    root: Annotated[str | UnsetType, Meta(description="The project's folder.")] = UNSET
    folder: Annotated[str | UnsetType, Meta(description="The study's folder.")] = UNSET
    git: Annotated[Members, Meta(description="Commit, branch and uncommitted files.")] = UNSET
    environment: Annotated[
        dict[str, Any], Meta(description="Interpreters and packages, and the digest of their versions.")
    ]
    locks: Annotated[Members, Meta(description="Lock files of the project, with their digests.")] = UNSET
    machine: Annotated[Members, Meta(description="The machine that planned the run.")] = UNSET
    variables: Annotated[
        Members, Meta(description="Environment variables that the study names, without secrets.")
    ] = UNSET
    data: Annotated[Members, Meta(description="Data files, with size in bytes and digest.")] = UNSET
    created: Annotated[str | UnsetType, Meta(description="When it was planned, ISO 8601.")] = UNSET
    run: Annotated[Members, Meta(description="The run's identity.")] = UNSET
    sources: Annotated[Any, Meta(description="The files that defined the study.")] = UNSET
    identity: Annotated[
        Members, Meta(description="The digests of code, environment and data that results depend on.")
    ] = UNSET
    waves: Annotated[tuple[WavePlan, ...], Meta(description="The plans of all waves.")] = ()
    warm: Annotated[
        WarmStart | UnsetType,
        Meta(description="Whether tasks of the newest wave start warm, if that is known."),
    ] = UNSET
    imported: Annotated[
        Members,
        Meta(
            description="Results that were taken in by `packhorse adopt --results`, with digests and dates."
        ),
    ] = UNSET
    until: Annotated[
        Members,
        Meta(
            description="Of a study with `replicates: {until: ...}`: the rule, what it saw, and why it stopped."
        ),
    ] = UNSET
    checks: Annotated[tuple[dict[str, Any], ...], Meta(description="The study's checks that passed.")] = ()


def provenance(where: Path, name: str | None) -> Provenance:
    """Return the provenance of a run, with the plans of its waves and its checks."""
    run = find_run(where, name)
    file = run.path / "provenance.json"
    if not file.exists():
        raise run.no_wave_error()
    found = msgspec.json.decode(file.read_bytes(), type=Provenance)
    checks, imported = run.path / "checks.json", run.path / "imported.json"
    until = run.path / UNTIL
    plans = tuple(run.plans())
    warm = warm_start(run, plans[-1].wave) if plans else None
    return msgspec.structs.replace(
        found,
        waves=msgspec.convert(plans, tuple[WavePlan, ...], from_attributes=True),
        warm=UNSET if warm is None else warm,
        imported=msgspec.json.decode(imported.read_bytes()) if imported.exists() else UNSET,
        until=msgspec.json.decode(until.read_bytes()) if until.exists() else UNSET,
        checks=tuple(msgspec.json.decode(checks.read_bytes()).values()) if checks.exists() else (),
    )
