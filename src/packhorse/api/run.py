"""A run: its state, its tasks and its table."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from packhorse.api.start import start
from packhorse.app.inspect.status import RunStatus, ScriptJobStatus, status
from packhorse.execution.run_model import Detached, Outcome
from packhorse.model.errors import RunError, UsageError
from packhorse.model.json_output import builtins
from packhorse.project.terminal_reporter import note
from packhorse.rundir.directory import RunDirectory, find_run

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import xarray

StrPath = str | os.PathLike[str]
ALIVE = ("running", "waiting")  # states of a run that goes on by itself
POLL_SECONDS = 0.5  # for a run on this machine
SITE_POLL_SECONDS = 10.0  # the queue itself is asked as seldom as the site wants


class Run:
    """One run directory: its state, its tasks and its table.

    `outcome` is how the call of `Study.run` ended that returned this object, if one did.
    """

    def __init__(self, path: StrPath, outcome: Outcome | Detached | None = None) -> None:
        self.path = Path(path).resolve()
        self.outcome = outcome

    def __repr__(self) -> str:
        found = self._status()
        return f"Run {found.name}: {found.state}, {found.done:,} of {found.tasks:,} tasks done"

    def _repr_html_(self) -> str:
        from packhorse.api.html import run_html

        return run_html(self._status(), self.path)

    def _status(self) -> RunStatus | ScriptJobStatus:
        return status(self.path, str(self.path))

    def status(self) -> dict[str, Any]:
        """Return the state of the run: state, tasks, done, failed, missing, causes."""
        return builtins(self._status())

    # What goes on

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the run has ended, here or on its site, and merge its table; return the run.

        Raises TimeoutError after `timeout` seconds; the run itself goes on. A run that ends with failed tasks, or
        cancelled, raises nothing: `status()` tells.
        """
        return self._watch(timeout, progress=False)

    def follow(self, timeout: float | None = None) -> Self:
        """Wait as `wait` does, and show how far the run is."""
        return self._watch(timeout, progress=True)

    def _watch(self, timeout: float | None, *, progress: bool) -> Self:
        give_up = None if timeout is None else time.monotonic() + timeout
        shown = ""
        while (found := self._status()).state in ALIVE:
            pause = SITE_POLL_SECONDS if (self.path / "cluster.json").exists() else POLL_SECONDS
            if give_up is not None:
                left = give_up - time.monotonic()
                if left <= 0:
                    raise TimeoutError(
                        f"{found.name} has not ended within {timeout:g} s: {found.done:,} of {found.tasks:,} tasks done"
                    )
                pause = min(pause, left)
            line = repr(self) if progress else ""
            if line != shown:
                shown = line
                note(line)
            time.sleep(pause)
        return self.collect()

    def cancel(self) -> Self:
        """Stop the run: its process here, or its jobs on a site. Finished tasks are kept, and running it again continues.

        Raises RunError where it does not end.
        """
        from packhorse.app.runs.cancel import cancel

        cancel(self.path, str(self.path))
        return self

    def retry(
        self,
        where: Sequence[str] = (),
        *,
        memory: str | None = None,
        time: str | None = None,
        lost: bool = False,
        jobs: int | None = None,
        keep: bool = False,
        detach: bool = False,
        progress: bool = True,
        check: bool = True,
    ) -> Run:
        """Run failed tasks again where the run was; the options are those of `packhorse retry`.

        `where` are conditions such as "n=100"; `memory` and `time` are amounts or multiples such as "2x". Raises
        RunError where no task has failed, and as `Study.run` does.
        """
        from packhorse.app.runs.retry import retry_source

        options = {"memory": memory, "time": time, "lost": lost, "jobs": jobs, "keep": keep}
        source, chosen, place = retry_source(self.path, str(self.path), where, options, {})
        return Run(self.path, start(source, chosen, place, detach=detach, progress=progress, check=check))

    # What it has found

    @overload
    def results(self, *, pandas: Literal[True]) -> pd.DataFrame: ...
    @overload
    def results(self, *, arrow: Literal[True]) -> pa.Table: ...
    @overload
    def results(self, *, lazy: Literal[True]) -> pl.LazyFrame: ...
    @overload
    def results(self) -> pl.DataFrame: ...
    def results(self, *, pandas: bool = False, arrow: bool = False, lazy: bool = False) -> Any:
        """Return the table as it was last merged; `collect` merges it again.

        It is a polars frame, with `pandas` or `arrow` a pandas frame or an Arrow table. With `lazy` it is a polars
        LazyFrame, for a table that does not fit in memory. Raises UsageError for more than one of these.
        """
        if pandas + arrow + lazy > 1:
            raise UsageError("results() takes one of pandas, arrow and lazy", "call it once for each")
        import polars as pl

        from packhorse.results.table_files import to_pandas

        path = self._table("results.parquet")
        if lazy:
            return pl.scan_parquet(path)
        frame = pl.read_parquet(path)
        if arrow:
            return frame.to_arrow()
        return to_pandas(frame) if pandas else frame

    def tasks(self, where: Sequence[str] = ()) -> pl.DataFrame:
        """Return a row for each task, or each that meets the conditions: parameters, state, and how its attempt went.

        `state` is OK, FAILED, TIMEOUT, MEMORY, UNFINISHED or MISSING; seconds are in `wall` and `cpu`, KiB in `memory`.
        """
        from packhorse.app.inspect.tasks import tasks

        return tasks(self.path, str(self.path), where)

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
        return summarise_run(self.path, str(self.path), by, of, quantiles, ()).points

    def collect(self) -> Self:
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


def latest_run(directory: Path, name: str) -> Run:
    """Return the run of a study in its directory; raise RunError where it has not run yet."""
    if not RunDirectory(directory).exists:
        raise RunError(f"the study {name!r} has not run yet", "call .run() first")
    return Run(directory)
