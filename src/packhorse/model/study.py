"""A study: the program to run, its parameters and its resources."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

Scalar = int | float | str | bool | None
Value = Scalar | list[Any]


class Resources(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The resources of one task: `memory` in MiB; `time` (the limit) and `expected` (the usual) in seconds."""

    cpus: int = 1
    memory: int | None = None
    time: int | None = None
    expected: float | None = None
    gpus: int = 0


class Cluster(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Options of a study's jobs beside resources; empty means the site's default, or none.

    `job_time` is in seconds. Only `modules` and `setup` can change a result, since they decide which programs run.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    area: str = ""  # storage area of a site reached over ssh: its name, or a path
    job_time: int | None = None  # per job; None: derived from the tasks
    max_jobs: int | None = None  # running at a time
    max_core_hours: float | None = None
    mail: str = ""  # address for email about the run
    mail_when: tuple[Literal["begin", "end", "fail"], ...] = ("end", "fail")
    modules: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()  # shell lines, after the site's setup and the modules
    options: tuple[str, ...] = ()  # options of the scheduler, passed on unchanged


class ResultFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of a result: a template as in `Result`, and its format ("" where the suffix tells)."""

    file: str
    format: str = ""


class Result(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The source of a task's result.

    `file` is a template (`{output}`, `results/{index}.csv`) or a pattern (`results/*.rds`) relative to the study's folder,
    and `more` are further files of the task. `convert` is a command that makes these files of what the task wrote.
    `header` gives the names of a table without them, or True: its first line has them, although they look like numbers.
    """

    kind: Literal["auto", "json", "file", "none", "return"] = "auto"
    file: str = ""
    format: str = ""
    more: tuple[ResultFile, ...] = ()
    convert: tuple[str, ...] = ()
    header: tuple[str, ...] | bool = False
    separator: str = ""
    decimal: str = ""
    encoding: str = ""


class Environment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The interpreter and packages of the tasks; `path` is an interpreter, a venv or a uv project."""

    kind: Literal["none", "python", "venv", "uv"] = "none"
    path: str = ""


class IndexVariable(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The array variable that an existing script reads; its value is `start` + task index, or a parameter."""

    name: str
    start: int = 0
    parameter: str = ""


class EstimateColumns(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a table has what a simulation study needs.

    `truth` is a number or a column. An interval is `low` to `high`, or the estimate plus and minus the normal
    quantile of `level` times `se`; `covered` overrides it. A hypothesis test rejects where `p_value` < 1 - level, or
    where the interval does not contain `null`. A replicate has converged where `converged` is true (if it is named)
    and the estimate is finite.
    """

    estimate: str = ""
    truth: float | str | None = None
    se: str = ""
    low: str = ""
    high: str = ""
    covered: str = ""
    p_value: str = ""
    converged: str = ""
    method: str = ""
    level: float = 0.95
    null: float = 0.0


class Summary(EstimateColumns, frozen=True, kw_only=True, omit_defaults=True):
    """The summary table: columns `of`, grouped `by` parameters, with `quantiles` between 0 and 1.

    With `estimate`, the results are those of a simulation study.
    """

    by: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = ()


class Until(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """When replicates suffice: the Monte Carlo standard error of the measure `of` is at most `mcse` in every cell.

    `at_most` is the largest number of replicates at each point.
    """

    mcse: float
    of: str
    at_most: int


class Expectation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A claim about the results (`that`, see text/claims.py), of the rows that match `where`, in each cell of `by`."""

    that: str
    where: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    margin: float | None = None
    rtol: float = 0.0
    atol: float = 0.0
    ulp: int = 0


class Factor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One axis of the product: one parameter, or several that vary together.

    Exactly one of `levels` (rows with one value per name), `range` (start, step, count; one name) and
    `chunks` (rows, size, count; names chunk, start, stop) is set. `resample` marks an index of repetitions
    (bootstrap, permutations), which takes part in common seeding as the replicate does.
    `written` has, for a name whose levels were not written as their values are (1e3, 007), the text of each level,
    None where it is that of the value; for a level that is a list, a list of such texts. It is not part of a key.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...] | None = None
    range: tuple[int, int, int] | None = None
    chunks: tuple[int, int, int] | None = None
    resample: bool = False
    written: dict[str, tuple[Any, ...]] = field(default_factory=dict)


class Study(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A parsed study. Templates are not expanded; factors hold their final levels. `time_limit` is in seconds."""

    name: str
    command: tuple[str, ...] = ()
    shell: str = ""
    function: str = ""
    factors: tuple[Factor, ...] = ()
    replicates: int = 1  # with `until`, those of the first wave
    until: Until | None = None
    seed: int = 0
    seeding: Literal["independent", "common"] = "independent"
    resources: Resources = Resources()
    result: Result = Result()
    directory: str = ""  # working directory of tasks, relative to the study's folder
    artifacts: tuple[str, ...] = ()
    partial: Literal["refuse", "accept"] = "refuse"  # the result file of a task that was ended
    code: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    data: tuple[str, ...] = ()  # also the files of inputs
    inputs: dict[str, str] = field(default_factory=dict)  # name -> file that tasks map into memory
    env: dict[str, str | None] = field(default_factory=dict)
    environment: Environment = Environment()
    checks: tuple[str, ...] = ()
    summary: Summary | None = None
    expect: tuple[Expectation, ...] = ()
    combine: str = ""  # a script whose table must be that of the run, from the study's folder
    time_limit: float | None = None
    retries: int = 0
    checkpoint: bool = False
    warm: str | bool | tuple[str, ...] = "auto"  # or the modules of the study that are loaded as well
    index_variable: IndexVariable | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    cluster: Cluster = Cluster()
    sites: dict[str, dict[str, Any]] = field(default_factory=dict)
