"""The work file of a wave, waves/K/work.json: what its workers and slots need to know."""

import json
import os

from packhorse.worker.space import Space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NotRequired, TypedDict  # novermin

    # The keys that the package writes (`packhorse.model.work_file`, which a test compares with this list), ...
    class WorkFile(TypedDict):
        """The content of a work file."""

        format: str  # packhorse-work
        version: int
        run: str  # id of the run
        mark: str  # value of PACKHORSE_RUN, by which the processes of the run are found
        wave: int
        space: str  # file name of the parameter space in the run directory
        space_digest: str
        snapshot: str  # file name of the tar archive of the code; empty if there is none
        code: str  # digest of the snapshot
        environment: str  # digest of the software environment
        root: str  # name of the project's folder
        folder: str  # the study's folder, relative to the root of the snapshot
        start: str  # the folder in which tasks start, relative to the root of the snapshot
        links: "list[list[str]]"  # [name relative to the study's folder, target] of each data file or folder
        inputs: "dict[str, str]"  # name -> path of a file that tasks map into memory
        python: "list[str]"  # argv that starts the interpreter of functions
        search: "list[str]"  # entries of the Python search path, relative to the root of the snapshot
        environ: "dict[str, str]"  # environment variables that are set for tasks
        path: "list[str]"  # folders put before PATH
        unset: "list[str]"  # environment variables that are removed
        cpus: int  # cores of a task
        gpus: int  # GPUs of a task
        memory: "int | None"  # memory limit of a task in MiB
        artifacts: "list[str]"  # glob patterns of files to keep
        prefix: str  # put before a task's index in the name of its folder in artifacts/
        everything: bool  # keep every new or changed file, and name none of them
        partial: bool  # whether a complete result file of a task that was ended counts
        index_variable: (
            "dict[str, Any] | None"  # name, start, parameter of the array variable that a script reads
        )
        time_limit: "float | None"  # of a task, in seconds
        retries: int
        checkpoint: bool  # whether tasks save checkpoints
        warm: "str | bool | list[str]"  # auto, or whether tasks start warm, or modules of the study to load
        total: int  # tasks of the space
        look: bool  # whether the first task is watched for files that no key names
        tee: bool  # whether output is shown as it is printed, and so kept in its files
        command: "list[list[Any]] | None"  # arguments, each of literal strings and placeholders
        function: "dict[str, str] | None"  # module and name
        files: "list[str]"  # parameter files that the command names
        result: "dict[str, Any]"  # kind, and of kind `file` also file and format

    # ... what a later wave adds when a job writes it, and what each worker adds when it reads the file.
    class Work(WorkFile):
        """A work file as a worker uses it."""

        avoid: NotRequired["list[str]"]  # hosts that must not work on the wave
        directory: str  # the run directory
        library: str  # folder with packhorse/task.py
        r_library: str  # path of packhorse.R
        deadline: NotRequired["float | None"]  # Unix time at which the worker stops tasks
        input_states: NotRequired[
            "dict[str, list[int]]"
        ]  # size and mtime (ns) of each input when the worker began
        alone: NotRequired[bool]  # whether every task gets a new working copy, in a run that repeats tasks
        share: NotRequired[bool]  # whether large files of the working copies are hard links


FACTS = "worker.json"


def with_directory(work: "Any", directory: str) -> "Work":
    """Return a work file with the paths that follow from where the run directory is now, since a run can be moved."""
    library = os.path.join(directory, "library")
    full: "Any" = dict(work, directory=directory, library=library)
    full["r_library"] = os.path.join(library, "packhorse.R")
    work_of_run: "Work" = full
    return work_of_run


def write_worker_facts(scratch: str, facts: "dict[str, Any]") -> None:
    """Write what holds for one worker only, such as its deadline, for its slots."""
    with open(os.path.join(scratch, FACTS), "w") as stream:
        json.dump(facts, stream)


def read_work_file(work_file: str, scratch: "str | None" = None) -> "tuple[Work, Space]":
    """Return the content of waves/K/work.json and its space; in a slot, with the facts of its worker."""
    with open(work_file, "rb") as stream:
        content = json.loads(stream.read().decode("utf-8"))
    directory = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(work_file))))
    work = with_directory(content, directory)
    if scratch is not None:
        with open(os.path.join(scratch, FACTS)) as stream:
            work.update(json.load(stream))
    return work, read_space(os.path.join(directory, work["space"]))


def read_space(path: str) -> Space:
    """Return the parameter space in a file."""
    with open(path, "rb") as stream:
        return Space(json.loads(stream.read().decode("utf-8")))
