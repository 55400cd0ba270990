"""Open a run directory and prepare one call of `run` on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.execution.preparation import Prepared, prepare
from packhorse.execution.run_model import RunOptions
from packhorse.execution.target import ExecutionTarget, LocalTarget
from packhorse.execution.work_file import work_file
from packhorse.model.errors import RunError
from packhorse.model.plan import Identity, Plan
from packhorse.model.space import ParameterSpace, inherit
from packhorse.model.study import Study
from packhorse.preflight.checks import run_checks
from packhorse.preflight.command_files import check_command
from packhorse.preflight.own_seeds import sets_own_seeds
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source, from_file, from_study
from packhorse.results.fold import Fold
from packhorse.rundata.outcomes import artifacts_prefix, read_outcomes
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write_file
from packhorse.rundir.worker_archive import keep_archive, task_library
from packhorse.snapshot.snapshot import pack
from packhorse.study.parse import default_name
from packhorse.worker import calls


class RunContext(Struct, frozen=True, kw_only=True):
    """A study on its run directory, prepared for one call of `run`.

    `latest` is the newest plan of the run; outcomes count from wave `first` on.
    """

    source: Source
    options: RunOptions
    run: RunDirectory
    target: ExecutionTarget
    prepared: Prepared
    space: ParameterSpace
    latest: Plan | None
    first: int
    own_seeds: bool

    @property
    def study(self) -> Study:
        """The study."""
        return self.source.study

    def fold(self, *, merged: bool = True) -> Fold:
        """Read the journals: the outcome of every task as it is now.

        With `merged`, tasks whose result the last merge could not read have failed.
        """
        return read_outcomes(self.run, self.space, self.study.defaults, self.first, merged=merged)

    def snapshot_path(self, identity: Identity) -> Path:
        """Return the path of a snapshot."""
        return self.run.path / f"code-{identity.code}.tar"


def open_run(directory: Path, source: Source, *, trial: bool = False) -> RunDirectory:
    """Open a study's run directory, or make it; `trial` says that it is for a few tasks only."""
    run = RunDirectory(directory.absolute())
    if run.is_foreign:
        message = f"{run.path} exists, is not empty and is not a run"
        raise RunError(message, "choose another directory with --run")
    if not run.exists:
        RunDirectory.create(run.path, source.study.name, str(source.path or ""), trial=trial)
    about = run.about()
    if about.name != source.study.name:
        message = f"{run.path} is a run of the study {about.name!r}, not of {source.study.name!r}"
        raise RunError(message, "choose another directory with --run, or another name in the study")
    return run


def prepare_run(
    source: Source, options: RunOptions, run: RunDirectory, target: ExecutionTarget, reporter: Reporter
) -> RunContext:
    """Read the project, the target's environment and the newest plan; report what the user must know."""
    latest = run.latest()
    if not options.fresh:
        source = replace(source, study=grown_study(source.study, run, latest))
    prepared = prepare(source, run.path, target.environment(source))
    # Later waves may run the code of finished tasks, whatever the project has now.
    notes = check_command(source, prepared.files) if latest is None else ()
    for note in (*prepared.notes, *notes):
        reporter.say(note)
    for path, why in prepared.left_out:
        reporter.say(f"left out of the snapshot: {path} ({why})")
    first = latest.first if latest else 1
    return RunContext(
        source=source,
        options=options,
        run=run,
        target=target,
        prepared=prepared,
        space=inherited_space(ParameterSpace.of(source.study), run, latest),
        latest=latest,
        first=latest.wave + 1 if options.fresh and latest else first,
        own_seeds=sets_own_seeds(
            source.study, source.start.relative_to(source.root).as_posix(), prepared.files
        ),
    )


def grown_study(study: Study, run: RunDirectory, latest: Plan | None) -> Study:
    """Return a study whose replicates grow, with those that its run has grown to."""
    if study.until is None or latest is None:
        return study
    return replace(study, replicates=max(study.replicates, run.space(latest.space).replicates))


def inherited_space(space: ParameterSpace, run: RunDirectory, latest: Plan | None) -> ParameterSpace:
    """Return the space, each level in the form that it had in the newest plan."""
    if latest is None or latest.space == space.digest:
        return space
    return inherit(space, run.space(latest.space))


def write_run_files(context: RunContext, identity: Identity) -> None:
    """Write every file of the run but its waves."""
    run, source, prepared = context.run, context.source, context.prepared
    write_file(run.path / "study.yaml", source.text)
    write_file(run.path / "study.json", msgspec.json.encode(replace(source.study, factors=())))
    run.write_space(context.space)
    keep_archive(run.path / "worker.pyz")
    pickles = source.study.function.startswith(f"{calls.MODULE}:")
    for name, text in task_library(pickles=pickles).items():
        (run.path / "library" / name).parent.mkdir(exist_ok=True)
        write_file(run.path / "library" / name, text)
    if not context.snapshot_path(identity).exists():
        pack([*prepared.files, *prepared.marks], context.snapshot_path(identity))
    provenance = dict(
        prepared.provenance,
        created=now(),
        run=msgspec.to_builtins(run.about()),
        sources=list(source.sources),
        identity=msgspec.to_builtins(identity),
    )
    write_file(run.path / "provenance.json", msgspec.json.format(msgspec.json.encode(provenance), indent=1))


def run_study_checks(context: RunContext, identity: Identity, reporter: Reporter) -> bool:
    """Run the study's checks on this machine; return whether any was left out. Raises CheckError."""
    source, run, target = context.source, context.run, context.target
    if not context.study.checks:
        return False
    prepared = context.prepared
    if target.checks_note:
        reporter.say(target.checks_note)
        prepared = prepare(source, run.path)
    plan = Plan(wave=0, space=context.space.digest, total=context.space.size, tasks=0, code=identity.code)
    paths = LocalTarget().data_paths(source, prepared.data)
    work = work_file(source, prepared, plan, context.space, data=paths)
    return run_checks(
        run,
        context.study.checks,
        run.marked_work(work),
        identity,
        unchecked=context.options.unchecked,
        reporter=reporter,
    )


def wave_work(context: RunContext, plan: Plan) -> dict[str, Any]:
    """Return the work file of a wave."""
    work = work_file(
        context.source,
        context.prepared,
        plan,
        context.space,
        everything=context.options.everything,
        data=context.target.data_paths(context.source, context.prepared.data),
    )
    work["prefix"] = artifacts_prefix(context.run, context.latest, context.space, context.study.defaults)
    if context.options.trust_pickle and work["result"]["kind"] == "file":
        work["result"]["trust_pickle"] = True
    if not context.options.warm:
        work["warm"] = False
    work["tee"] = work["tee"] and context.target.attached
    return context.run.marked_work(work)


def source_of(run: RunDirectory, site: str | None = None) -> Source:
    """Return the study of a run: its file where that still exists, else the study of the newest plan."""
    about = run.about()
    if about.study and Path(about.study).exists():
        source = from_file(about.study, site)
        # In earlier versions a default name depended on how the path was typed (study.yaml, or /home/ada/means/study.yaml).
        if source.study.name == default_name(about.study):
            source = replace(source, study=replace(source.study, name=about.name))
        return source
    plan = run.latest()
    if plan is None:
        raise run.no_wave_error()
    study = msgspec.json.decode((run.path / "study.json").read_bytes(), type=Study)
    study = replace(study, factors=run.space(plan.space).factors)
    provenance = msgspec.json.decode((run.path / "provenance.json").read_bytes())
    text = (run.path / "study.yaml").read_text(encoding="utf-8")
    return from_study(study, text, Path(provenance["folder"]), provenance.get("sources", ()))
