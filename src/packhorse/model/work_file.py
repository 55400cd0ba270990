"""The work file of a wave, waves/K/work.json: what the workers of a wave need to know.

`packhorse.worker.work_file` describes the same keys for the worker, which cannot import this module.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from packhorse.model.study import IndexVariable


class WorkFunction(Struct, frozen=True, kw_only=True):
    """The function that a task calls."""

    module: str
    name: str


class WorkResultFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A further file of a result: an argument template, and the file's format."""

    file: list[Any]
    format: str = ""


class WorkResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a task; all but `kind` is for files. `file` is an argument template.

    `more` are further files, `convert` is a command that makes the files of what the task wrote, and the rest says how
    tables are read (`model.study.Result`).
    """

    kind: str
    file: list[Any] = []
    format: str = ""
    more: list[WorkResultFile] = []
    convert: list[list[Any]] = []
    header: list[str] | bool = False
    separator: str = ""
    decimal: str = ""
    encoding: str = ""
    trust_pickle: bool = False


class WorkFile(Struct, frozen=True, kw_only=True):
    """The content of a work file."""

    format: Literal["packhorse-work"] = "packhorse-work"
    version: Literal[1] = 1
    run: str = ""  # id of the run
    mark: str = ""  # value of PACKHORSE_RUN, by which the processes of the run are found
    wave: int
    space: str  # file name of the parameter space in the run directory
    space_digest: str
    snapshot: str  # file name of the tar archive of the code
    code: str  # digest of the snapshot
    environment: str  # digest of the software environment
    root: str  # name of the project's folder, which the working copies have too
    folder: str  # the study's folder, relative to the root of the snapshot
    start: str  # the folder in which tasks start, relative to the root of the snapshot
    links: list[tuple[str, str]]  # (name relative to the study's folder, target) of each data file or folder
    inputs: dict[str, str] = {}  # name -> path of a file that tasks map into memory
    python: list[str]  # argv that starts the interpreter of functions
    search: list[str]  # entries of the Python search path, relative to the root of the snapshot
    environ: dict[str, str]  # environment variables that are set for tasks
    path: list[str]  # folders put before PATH
    unset: list[str]  # environment variables that are removed
    cpus: int  # cores of a task
    gpus: int  # GPUs of a task
    memory: int | None  # memory limit of a task in MiB
    artifacts: list[str]  # glob patterns of files to keep
    prefix: str = ""  # put before a task's index in the name of its folder in artifacts/
    everything: bool  # keep every new or changed file
    partial: bool = False  # whether a complete result file of a task that was ended counts
    index_variable: IndexVariable | None
    time_limit: float | None  # of a task, in seconds
    retries: int
    checkpoint: bool  # whether tasks save checkpoints
    warm: str | bool | list[str]  # auto, whether tasks start warm, or modules of the study to load as well
    total: int  # tasks of the space
    look: bool = True  # whether the first task is watched for files that no key names
    tee: bool  # whether output is shown as it is printed
    command: list[Any] | None  # arguments, each a list of literal strings and placeholders
    function: WorkFunction | None
    files: list[str]  # parameter files that the command names
    result: WorkResult
