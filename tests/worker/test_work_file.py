"""The work file has the same keys for the package that writes it and for the worker that reads it."""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from types import ModuleType

from msgspec.structs import fields

from packhorse.model.work_file import WorkFile
from packhorse.worker import main_loop, work_file
from packhorse.worker.slots import function_server, launcher, running_command, slot
from packhorse.worker.tasks import artifacts, checkpoint, environment, parameter_files, slot_folders, task
from packhorse.worker.waves import next_wave
from running.project import Project

READERS = (
    main_loop, work_file, function_server, launcher, running_command, slot, artifacts, checkpoint, environment,
    parameter_files, slot_folders, task,
)  # fmt: skip


def keys_of(name: str) -> list[str]:
    """Return the keys of a typed dict that the worker's module defines for type checkers."""
    tree = ast.parse(inspect.getsource(work_file))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
    assert len(found) == 1
    return [
        line.target.id
        for line in found[0].body
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
    ]


def used_keys(module: ModuleType) -> set[str]:
    """Return the keys that a module reads of `work`, by subscription or by `get`."""
    keys = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).split(".")[-1] == "work":
            key = node.slice
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("work.get"):
            key = node.args[0]
        else:
            continue
        assert isinstance(key, ast.Constant), ast.unparse(node)
        keys.add(key.value)
    return keys


def test_the_worker_describes_the_keys_that_the_package_writes() -> None:
    assert keys_of("WorkFile") == [field.name for field in fields(WorkFile)]


def test_what_the_worker_reads_is_described() -> None:
    read = set().union(*(used_keys(module) for module in READERS))
    assert {"space", "command", "deadline", "avoid"} <= read
    assert read <= {*keys_of("WorkFile"), *keys_of("Work")}
    assert used_keys(next_wave) <= {"memory", "avoid"}, "what a job adds to the work file of the wave before"


def test_a_written_work_file_has_these_keys_in_this_order(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.study(command="echo {i}", result="none", parameters={"i": [1, 2]}).run()
    work = json.loads((project.directory / "waves" / "1" / "work.json").read_text())
    assert list(work) == [field.name for field in fields(WorkFile)]
    assert work["result"] == {"kind": "none"}
    assert work["command"][1:] == [[{"name": "i"}]]
