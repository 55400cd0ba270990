"""A function over a grid of parameters, as a study, whose results come back as they are."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from packhorse.api.calls.callers_folder import callers_folder
from packhorse.api.calls.importable import pickled
from packhorse.api.calls.resources import resources_of, study_resources
from packhorse.api.calls.source_lines import remember_lines
from packhorse.api.calls.values import CallLost, result_of
from packhorse.api.run import Run
from packhorse.api.study import Study
from packhorse.execution.run_context import open_run
from packhorse.model.errors import TasksFailed, UsageError
from packhorse.project.run_name import plain_name
from packhorse.rundata.outcomes import latest_outcomes
from packhorse.rundir.calls import keep_function
from packhorse.rundir.directory import RunDirectory
from packhorse.snapshot.project_files import find_root
from packhorse.worker.calls import MODULE, PICKLED, digest_of, is_plain

StrPath = str | os.PathLike[str]
Grid = Mapping[str, Any] | Sequence[Mapping[str, Any]]
RUN_OPTIONS = frozenset(inspect.signature(Study.run).parameters) - {"self", "check", "detach", "directory"}


class Results(list[Any]):
    """The results of `packhorse.map`, in the order of the tasks; `run` is the run that made them."""

    def __init__(self, results: Iterable[Any], run: Run) -> None:
        super().__init__(results)
        self.run = run


def map_grid(
    function: Callable[..., Any],
    grid: Grid,
    *,
    site: str | None = None,
    name: str | None = None,
    folder: StrPath | None = None,
    **keys: Any,
) -> Results:
    """Call a function at every point of a grid, here or on a site; return the results in the order of the points.

    `grid` has a list of values for each parameter, of which all combinations are taken (the last one varies fastest), or
    is a list of dicts, one for each point. Values and results may be of any type that can be pickled. The other
    keywords are keys of a study, such as `replicates`, `seed` and `resources`, and options of `Study.run`.

    The run is a study of this `name`: the same call again runs only what is missing. Raises the exception of the first
    task that failed, with its traceback there as the cause; CallLost where a task has no result.
    """
    place = Path(folder) if folder is not None else callers_folder()
    pickle = partial(pickled, root=find_root(place.resolve()))
    data = pickle(function)
    digest = PICKLED + digest_of(data)
    remember_lines(digest, function)
    called = getattr(function, "__name__", "map")
    name = name or (plain_name(called) if called.isidentifier() else "map")
    values: dict[str, bytes] = {}
    parameters = _parameters(grid, values, pickle)
    options = {key: keys.pop(key) for key in list(keys) if key in RUN_OPTIONS}
    keys["resources"] = study_resources(resources_of(function), keys.get("resources"))
    study = Study(
        name=name,
        function=f"{MODULE}:{digest}",
        parameters=parameters,
        folder=place,
        site=site,
        **{key: value for key, value in keys.items() if value},
    )
    run = open_run(study.source.folder / "runs" / study.name, study.source)
    for content in (data, *values.values()):
        keep_function(run.path, content)
    try:
        done = study.run(**{"progress": False, **options})
    except TasksFailed:
        return Results(results_of(run, digest), Run(run.path))  # raises what the first task raised
    return Results(results_of(RunDirectory(done.path), digest), done)


def _parameters(grid: Grid, values: dict[str, bytes], pickle: Callable[[Any], bytes]) -> dict[str, Any]:
    """Return the parameters of a study; values that are not plain become names of pickles, which go to `values`."""

    def level(value: Any) -> Any:
        if hasattr(value, "item") and getattr(value, "shape", None) == ():
            value = value.item()  # a NumPy scalar
        if is_plain(value) and not isinstance(value, dict):
            return value
        data = pickle(value)
        name = PICKLED + digest_of(data)
        values[name] = data
        return name

    if isinstance(grid, Mapping):
        if not all(hasattr(levels, "__iter__") and not isinstance(levels, str) for levels in grid.values()):
            raise UsageError(
                "map takes a list of values for each parameter", 'packhorse.map(f, {"n": [1, 2]})'
            )
        return {name: [level(value) for value in levels] for name, levels in grid.items()}
    points = list(grid)
    if not points or any(set(point) != set(points[0]) for point in points):
        message = "map takes a dict of lists, or a list of dicts with the same names"
        raise UsageError(message, 'packhorse.map(f, [{"n": 1}, {"n": 2}])')
    return {"zip": {name: [level(point[name]) for point in points] for name in points[0]}}


def results_of(run: RunDirectory, function: str = "") -> list[Any]:
    """Return the results of all tasks of a run of `map`, in order; raise what the first one without a result raised."""
    outcomes = latest_outcomes(run, merged=False)
    results = []
    for index in range(outcomes.space.size):
        found = outcomes.fold.record(index)
        if found is None:
            raise CallLost(f"task {index} of {run.path.name} has no result yet")
        journal, record = found
        has_none = record.outcome == "OK" and not isinstance(record.json, dict) and record.pack is None
        results.append(None if has_none else result_of(record, journal.pack, function))
    return results
