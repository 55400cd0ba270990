"""A study from keywords, which runs here or on a site."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from packhorse.api.calls.resources import resources_of, study_resources
from packhorse.api.run import Run, latest_run
from packhorse.api.start import start
from packhorse.execution.run_model import RunOptions
from packhorse.model.json_output import builtins
from packhorse.model.space import ParameterSpace
from packhorse.project.main_module import importable_name
from packhorse.project.source import Source, from_keywords
from packhorse.text.amounts import counted

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

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
        if resources_of(function):
            keys["resources"] = study_resources(resources_of(function), keys.get("resources"))
        self._keywords = {"function": name, **keys}
        self._place, self._file = place, file
        self.site = site
        self.source: Source = self._source(site)
        self.space = ParameterSpace.of(self.source.study)
        self._directory = self.source.folder / "runs" / self.source.study.name

    def _source(self, site: str | None) -> Source:
        """Return the study with the settings of a site."""
        file, place = self._file, self._place
        path = file or place.absolute() / "study.yaml"
        makers = _makers(file, place, self._keywords["function"])
        return from_keywords(self._keywords, place, path, site=site, sources=makers)

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

        follows = product(self.space)
        return f"Study {self.name}: {counted(self.space.size, 'task')}{f' = {follows}' if follows else ''}"

    def _repr_html_(self) -> str:
        from packhorse.api.html import study_html

        return study_html(repr(self), self.text)

    def plan(self) -> dict[str, Any]:
        """Return what would run on this machine: the number of tasks, examples, finished tasks."""
        from packhorse.app.studies.plan import plan_study

        return builtins(plan_study(self.source))

    def run(
        self,
        *,
        site: str | None = None,
        detach: bool = False,
        area: str | None = None,
        partition: str | None = None,
        account: str | None = None,
        qos: str | None = None,
        job_time: str | None = None,
        max_jobs: int | None = None,
        max_core_hours: float | None = None,
        jobs: int | None = None,
        fresh: bool = False,
        keep: bool = False,
        old_code: bool = False,
        failed: Literal["run", "keep"] = "run",
        trust_pickle: bool = False,
        warm: bool = True,
        progress: bool = True,
        directory: StrPath | None = None,
        check: bool = True,
        unchecked: bool = False,
    ) -> Run:
        """Run what is missing and merge the table; the options are those of `packhorse run`.

        It runs on `site`, by default that of the study, else on this machine. With `detach` it returns when the jobs
        are submitted: `Run.wait()` waits for the rest. `jobs` is the number of tasks at a time on this machine.

        Raises the error of the command's exit code, such as TasksFailed or Stopped, unless `check` is false;
        an error that keeps the run from starting is always raised.
        """
        chosen = site or self.site
        request = {
            "site": chosen,
            "area": area,
            "partition": partition,
            "account": account,
            "qos": qos,
            "job_time": job_time,
            "max_jobs": max_jobs,
            "max_core_hours": max_core_hours,
        }
        options = RunOptions(
            run=None if directory is None else Path(directory),
            jobs=jobs,
            fresh=fresh,
            keep=keep,
            old_code=old_code,
            failed=failed,
            trust_pickle=trust_pickle,
            warm=warm,
            unchecked=unchecked,
        )
        outcome = start(
            self.source if chosen == self.site else self._source(chosen),
            options,
            {name: value for name, value in request.items() if value is not None},
            detach=detach,
            progress=progress,
            check=check,
        )
        self._directory = Path(outcome.run)
        return Run(self._directory, outcome)

    @property
    def latest(self) -> Run:
        """The study's run: where this object ran it last, else at its usual place."""
        return latest_run(self._directory, self.name)

    @overload
    def results(self, *, pandas: Literal[True]) -> pd.DataFrame: ...
    @overload
    def results(self, *, arrow: Literal[True]) -> pa.Table: ...
    @overload
    def results(self, *, lazy: Literal[True]) -> pl.LazyFrame: ...
    @overload
    def results(self) -> pl.DataFrame: ...
    def results(self, **kind: Any) -> Any:
        """Return the table of finished tasks, in the forms of `Run.results`."""
        return self.latest.results(**kind)

    def summary(
        self, by: Sequence[str] = (), of: Sequence[str] = (), quantiles: Sequence[float] = ()
    ) -> pl.DataFrame:
        """Return means and so on by group, with Monte Carlo standard errors."""
        return self.latest.summary(by, of, quantiles)

    def failures(self) -> pl.DataFrame:
        """Return a row for each task that has an outcome and no result, with its cause."""
        return self.latest.failures()


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
