"""The Python interface: a study from keywords, its run, and its table as a frame.

    import packhorse
    import sim

    if __name__ == "__main__":
        study = packhorse.Study(name="sweep", function=sim.estimate, parameters={"n": [10, 50]}, replicates=100)
        study.run()
        table = study.results()

Tasks run in processes of their own, from a snapshot, so a function must be in a module that can be
imported there. A script's own function works too if the script has `if __name__ == "__main__":` around what
starts the run; every edit of such a script is a change of the function's code.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from packhorse.app.inspect.status import status
from packhorse.app.runs.outcome import outcome_lines, raise_for_outcome
from packhorse.app.runs.run import run_study
from packhorse.execution.run_model import Outcome, RunOptions
from packhorse.model.errors import RunError
from packhorse.model.json_output import builtins
from packhorse.model.space import ParameterSpace
from packhorse.project.main_module import importable_name
from packhorse.project.source import Source, from_keywords
from packhorse.project.terminal_reporter import QuietReporter, TerminalReporter, note
from packhorse.rundir.directory import RunDirectory, find_run

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import xarray

    from packhorse.app.jobs.script import Script

StrPath = str | os.PathLike[str]


class Study:
    """What to run, at which parameters: the keys of a study file as keywords.

    `function` may be a function itself. Paths are relative to `folder`: by default that of the calling file,
    or the working directory where there is none, as in a notebook. Raises StudyError where a key is wrong.
    """

    def __init__(
        self,
        *,
        function: Callable[..., Any] | str | None = None,
        folder: StrPath | None = None,
        site: str | None = None,
        **keys: Any,
    ) -> None:
        file = _calling_file()
        place = Path(folder) if folder is not None else file.parent if file else Path.cwd()
        name = importable_name(function) if callable(function) else function
        keywords = {"function": name, **keys}
        self.source: Source = from_keywords(
            keywords,
            place,
            file or place.absolute() / "study.yaml",
            site=site,
            sources=_makers(file, place, name),
        )
        self.site = site
        self.space = ParameterSpace.of(self.source.study)
        self._directory = self.source.folder / "runs" / self.source.study.name

    @property
    def name(self) -> str:
        """The study's name, which is that of its run directory."""
        return self.source.study.name

    @property
    def text(self) -> str:
        """The study as a study file."""
        return self.source.text

    def __len__(self) -> int:
        return self.space.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the parameters of one task."""
        return self.space[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self.space[index] for index in range(self.space.size))

    def __repr__(self) -> str:
        from packhorse.app.studies.plan import product

        return f"Study {self.name}: {self.space.size:,} tasks = {product(self.space)}"

    def plan(self) -> dict[str, Any]:
        """Return what would run on this machine: the number of tasks, examples, finished tasks."""
        from packhorse.app.studies.plan import plan_study

        return builtins(plan_study(self.source))

    def run(
        self,
        *,
        jobs: int | None = None,
        fresh: bool = False,
        keep: bool = False,
        old_code: bool = False,
        failed: Literal["run", "keep"] = "run",
        progress: bool = True,
        directory: StrPath | None = None,
        check: bool = True,
        unchecked: bool = False,
    ) -> Run:
        """Run what is missing and merge the table; the options are those of `packhorse run`.

        It runs on this machine: a study made for a site is refused with RunError.

        Raises the error of the command's exit code, such as TasksFailed or Stopped, unless `check` is false;
        an error that keeps the run from starting is always raised.
        """
        _refuse_inside_task()
        if self.site not in (None, "local"):
            raise RunError(
                f"Study.run() runs on this machine, and this study has the settings of {self.site}",
                f"write the study to a file (Study.text) and run it: packhorse run study.yaml --site {self.site}",
            )
        place = None if directory is None else Path(directory)
        options = RunOptions(
            run=place,
            jobs=jobs,
            fresh=fresh,
            keep=keep,
            old_code=old_code,
            failed=failed,
            unchecked=unchecked,
        )
        outcome = run_study(self.source, options, TerminalReporter() if progress else QuietReporter())
        if progress:
            for line in outcome_lines(outcome):
                note(line)
        self._directory = Path(outcome.run)
        if check:
            raise_for_outcome(outcome)
        return Run(self._directory, outcome)

    @property
    def latest(self) -> Run:
        """The study's run: where this object ran it last, else at its usual place."""
        if not RunDirectory(self._directory).exists:
            raise RunError(f"the study {self.name!r} has not run yet", "call .run() first")
        return Run(self._directory)

    @overload
    def results(self, *, pandas: Literal[False] = False) -> pl.DataFrame: ...
    @overload
    def results(self, *, pandas: Literal[True]) -> pd.DataFrame: ...
    def results(self, *, pandas: bool = False) -> pl.DataFrame | pd.DataFrame:
        """Return the table of finished tasks."""
        return self.latest.results(pandas=True) if pandas else self.latest.results()

    def summary(
        self, by: Sequence[str] = (), of: Sequence[str] = (), quantiles: Sequence[float] = ()
    ) -> pl.DataFrame:
        """Return means and so on by group, with Monte Carlo standard errors."""
        return self.latest.summary(by, of, quantiles)

    def failures(self) -> pl.DataFrame:
        """Return a row for each task that has an outcome and no result, with its cause."""
        return self.latest.failures()


class Run:
    """One run directory: its state and its table."""

    def __init__(self, path: StrPath, outcome: Outcome | None = None) -> None:
        self.path = Path(path).resolve()
        self.outcome = outcome

    def __repr__(self) -> str:
        found = status(self.path, str(self.path))
        return f"Run {found.name}: {found.state}, {found.done:,} of {found.tasks:,} tasks done"

    def status(self) -> dict[str, Any]:
        """Return the state of the run: state, tasks, done, failed, missing, causes."""
        return builtins(status(self.path, str(self.path)))

    @overload
    def results(self, *, pandas: Literal[False] = False) -> pl.DataFrame: ...
    @overload
    def results(self, *, pandas: Literal[True]) -> pd.DataFrame: ...
    def results(self, *, pandas: bool = False) -> pl.DataFrame | pd.DataFrame:
        """Return the table as it was last merged; `collect` merges it again."""
        import polars as pl

        from packhorse.results.table_files import to_pandas

        frame = pl.read_parquet(self._table("results.parquet"))
        return to_pandas(frame) if pandas else frame

    def failures(self) -> pl.DataFrame:
        """Return a row for each task that has an outcome and no result, with its cause."""
        import polars as pl

        return pl.read_csv(self._table("failures.csv"), infer_schema_length=None)

    def summary(
        self, by: Sequence[str] = (), of: Sequence[str] = (), quantiles: Sequence[float] = ()
    ) -> pl.DataFrame:
        """Return means and so on by group, as asked for or as the study says."""
        from packhorse.app.inspect.summary import summarise_run

        self._table("results.parquet")
        return summarise_run(self.path, str(self.path), by, of, quantiles, ())

    def collect(self) -> Run:
        """Merge the table of finished tasks, also while tasks run."""
        from packhorse.app.inspect.collect import collect

        collect(RunDirectory(self.path))
        return self

    def to_xarray(self) -> xarray.Dataset:
        """Return values and arrays of all finished tasks, with the parameters and the replicate as dimensions.

        Needs the extra `arrays`. Raises UsageError where no finished task has numbers.
        """
        from packhorse.app.inspect.collect import stack_run

        return stack_run(RunDirectory(self.path)).dataset

    def logs(self, task: int) -> str:
        """Return what a task printed."""
        from packhorse.app.inspect.logs import logs

        return logs(self.path, str(self.path), task, (), failed=False).logs[0].text

    def provenance(self) -> dict[str, Any]:
        """Return the provenance of the results: code, environment, machine, data, waves."""
        from packhorse.app.inspect.provenance import provenance

        return builtins(provenance(self.path, str(self.path)))

    def _table(self, name: str) -> Path:
        if not (self.path / name).exists():
            self.collect()
        return self.path / name


def open_run(path: StrPath) -> Run:
    """Open a run directory, by its path or by its name under runs/."""
    return Run(find_run(Path.cwd(), os.fspath(path)).path)


def script(
    command: str,
    *,
    site: str = "",
    scheduler: str = "",
    name: str = "",
    partition: str = "",
    kind: str = "",
    account: str = "",
    qos: str = "",
    time: str = "",
    nodes: int = 1,
    tasks: int | None = None,
    cores: int | None = None,
    memory: str | int = "",
    memory_per_core: str | int = "",
    gpus: int = 0,
    array: str = "",
    after: str | Sequence[str] = (),
    log: str = "",
    error_log: str = "",
    mail: str = "",
    mail_when: str | Sequence[str] = (),
    modules: str | Sequence[str] = (),
    environment: str = "",
    setup: str | Sequence[str] = (),
    options: str | Sequence[str] = (),
    folder: StrPath | None = None,
) -> Script:
    """Return a job script for a site; the keywords are the options of `packhorse script`.

    `command` is one shell line or several. The result's `text` is the script, `notes` are remarks, and `save` writes
    it. Raises UsageError, StudyError for a value that cannot be parsed, RunError for a job that cannot run there.
    """
    from packhorse.app.jobs.script import make_script
    from packhorse.model.form import Form

    form = Form(
        command=command,
        site=site,
        scheduler=scheduler,
        name=name,
        partition=partition,
        kind=kind,
        account=account,
        qos=qos,
        time=time,
        nodes=nodes,
        tasks=tasks,
        cores=cores,
        memory=str(memory),
        memory_per_core=str(memory_per_core),
        gpus=gpus,
        array=array,
        after=_texts(after),
        log=log,
        error_log=error_log,
        mail=mail,
        mail_when=",".join(_texts(mail_when)),
        modules=_texts(modules),
        environment=environment,
        setup=_texts(setup),
        options=_texts(options),
    )
    return make_script(form, Path.cwd() if folder is None else Path(folder))


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value)


def _calling_file() -> Path | None:
    """Return the file that makes a Study; None for a notebook or a prompt."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    file = frame.f_globals.get("__file__") if frame is not None else None
    return Path(file).resolve() if file and Path(file).is_file() else None


def _makers(file: Path | None, place: Path, function: str | None) -> list[str]:
    """Return the script that makes the study; its edits are not a change of code unless tasks import it."""
    if file is None or (function and function.partition(":")[0].rpartition(".")[2] == file.stem):
        return []
    return [os.path.relpath(file, place.resolve())]


def _refuse_inside_task() -> None:
    if "PACKHORSE_RUN" in os.environ:
        message = "Study.run() was called inside a task, which imported the script that starts the run"
        raise RunError(message, 'write if __name__ == "__main__": above the line that calls .run()')
