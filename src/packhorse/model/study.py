"""A study: what to run, at which parameters, with which resources."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

Scalar = int | float | str | bool | None
Value = Scalar | list[Any]


class Resources(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one task needs: `memory` in MiB; `time` (the longest) and `expected` (a usual one) in seconds."""

    cpus: int = 1
    memory: int | None = None
    time: int | None = None
    expected: float | None = None
    gpus: int = 0


class Cluster(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a study's jobs ask of a batch system beside resources; empty means the site's default, or none.

    `job_time` is in seconds. Only `modules` and `setup` can change a result: by them tasks find other programs.
    """

    partition: str = ""
    account: str = ""
    qos: str = ""
    area: str = ""  # of a site that is reached over ssh: its name or a path
    job_time: int | None = None  # of each job; None: chosen to suit the tasks
    max_jobs: int | None = None  # at a time
    max_core_hours: float | None = None
    mail: str = ""  # an address
    mail_when: tuple[Literal["begin", "end", "fail"], ...] = ("end", "fail")
    modules: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()  # shell lines, after the site's and the modules
    options: tuple[str, ...] = ()  # in the scheduler's own words


class Result(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a task's result comes from.

    `file` is a template (`{output}`, `results/{index}.csv`) relative to the study's folder.
    """

    kind: Literal["auto", "json", "file", "none", "return"] = "auto"
    file: str = ""
    format: Literal["", "json", "ndjson", "csv", "parquet", "text"] = ""


class Environment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which interpreter and packages run the tasks; `path` is an interpreter, a venv or a project."""

    kind: Literal["none", "python", "venv", "uv"] = "none"
    path: str = ""


class IndexVariable(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The array variable an existing script reads; its value is `start` + index, or a parameter."""

    name: str
    start: int = 0
    parameter: str = ""


class Summary(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which columns to summarise, by which parameters, at which quantiles."""

    by: tuple[str, ...] = ()
    of: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = ()


class Factor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One axis of the product: one or several names that vary together.

    Exactly one of `levels` (each a row of values, one a name), `range` (start, step, count; one name)
    and `chunks` (rows, size, count; names chunk, start, stop) is set. `resample` marks an index that
    stands for a repetition (bootstrap, permutations) and so takes part in common seeding.
    """

    names: tuple[str, ...]
    levels: tuple[tuple[Any, ...], ...] | None = None
    range: tuple[int, int, int] | None = None
    chunks: tuple[int, int, int] | None = None
    resample: bool = False


class Study(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A parsed study. Templates are unexpanded; factors are already frozen levels."""

    name: str
    command: tuple[str, ...] = ()
    shell: str = ""
    function: str = ""
    factors: tuple[Factor, ...] = ()
    replicates: int = 1
    seed: int = 0
    seeding: Literal["independent", "common"] = "independent"
    resources: Resources = Resources()
    result: Result = Result()
    artifacts: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    env: dict[str, str | None] = field(default_factory=dict)
    environment: Environment = Environment()
    checks: tuple[str, ...] = ()
    summary: Summary | None = None
    time_limit: float | None = None
    retries: int = 0
    checkpoint: bool = False
    index_variable: IndexVariable | None = None
    defaults: dict[str, Any] = field(default_factory=dict)
    cluster: Cluster = Cluster()
    sites: dict[str, dict[str, Any]] = field(default_factory=dict)
