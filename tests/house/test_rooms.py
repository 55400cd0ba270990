"""Rooms: a file for each command word, folders of at most twelve modules, imports at the top of a module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse.cli.commands import COMMANDS
from packhorse.cli.sites.sites import SITE_COMMANDS

SOURCE = Path(__file__).parents[2] / "src" / "packhorse"
ROOMS = ("app", "cluster", "environments", "execution", "preflight", "project", "remote", "rundata")
MOST = 12  # modules of a folder, beside __init__

# Commands without a use case: they only print what another module knows.
ONLY_PRINT = {
    "r": "the path of a file of the package",
    "completion": "click makes the text",
    "schema": "study.schema makes the object",
    "sites schema": "sites.keys makes the object",
    "ssh-config": "remote.connection makes the lines",
}
# A command word that Python reserves: its modules have another name.
OTHER_NAMES = {"try": "try_task"}

# Imports inside functions, by file: how many modules each may import there, and why. What is heavy is imported where
# it is needed (HEAVY below), and needs no entry. Lower a number when imports move to the top; a file without an entry
# may have none.
START_UP = "start-up: a run on this machine needs no code about sites"
FROM_PYTHON = "start-up: a script that imports packhorse loads only what it calls"
ALLOWED: dict[str, tuple[int, str]] = {
    "__init__.py": (3, "start-up: `import packhorse` in a task loads only what the task uses"),
    "api/job_script.py": (2, FROM_PYTHON),
    "api/run.py": (9, FROM_PYTHON),
    "api/study.py": (2, FROM_PYTHON),
    "app/inspect/efficiency.py": (2, START_UP),
    "app/inspect/status.py": (5, START_UP),
    "app/inspect/summary.py": (1, "heavy: it imports polars"),
    "app/runs/cancel.py": (3, START_UP),
    "results/table.py": (1, "heavy: it imports polars, and must be the first to do so"),
    "app/runs/outcome.py": (2, "start-up: summaries load polars, and reasons of sites the code about sites"),
    "app/runs/rm.py": (2, START_UP),
    "app/runs/run.py": (2, START_UP),
    "cli/__init__.py": (2, "the entry point: `import packhorse.cli` loads no command"),
    "cli/complete_values.py": (1, "start-up: only the completion of a site needs the sites"),
    "cli/lazy_group.py": (1, "start-up: only completion needs its values"),
    "cli/completion.py": (1, "cycle: the list of commands imports this module"),
    "cli/inspect/logs.py": (2, START_UP),
    "cli/output.py": (1, START_UP),
    "cli/runs/cancel.py": (1, START_UP),
    "cli/runs/run.py": (
        1,
        "start-up: a Python or R program that runs on this machine is not checked by lint",
    ),
    "cli/studies/plan.py": (1, START_UP),
    "execution/local_execution.py": (1, START_UP),
    "remote/open_store.py": (1, START_UP),
    "remote/transport.py": (6, START_UP),
    "task.py": (2, "start-up: only a script with arrays, data frames or inputs needs these modules"),
    "worker/__main__.py": (7, "start-up: each command of the worker loads only its own part"),
    "worker/calls.py": (
        1,
        "optional: only a result that pickle refuses needs cloudpickle, which the run brings along",
    ),
    "worker/results/judgement.py": (4, "start-up: csv and gzip would add 3 ms to the start of every slot"),
    "worker/results/result.py": (1, "start-up: ast would add 3 ms to the start of every slot"),
    "worker/tasks/restore.py": (1, "start-up: a large file is hardly ever unpacked once more"),
    "worker/tasks/slot_folders.py": (1, "start-up: only the first slot of a node unpacks"),
}
# Libraries that take longer to import than the rest of a command, and the modules of ours that import them at the top.
HEAVY = {
    "h5py",
    "matplotlib",
    "numpy",
    "openpyxl",
    "pandas",
    "polars",
    "prompt_toolkit",
    "pyarrow",
    "questionary",
    "rich",
    "ruamel",
    "scipy",
    "sympy",
    "tree_sitter",
    "tree_sitter_bash",
    "xarray",
}


def words() -> Iterator[tuple[str, str, str]]:
    """Yield the words of every command, its folder, and the name of its modules."""
    for prefix, table in (("", COMMANDS), ("sites ", SITE_COMMANDS)):
        for word, (module, _) in table.items():
            folder = module.rpartition(".")[0]
            yield f"{prefix}{word}", folder, OTHER_NAMES.get(word, word).replace("-", "_")


@pytest.mark.parametrize(("command", "folder", "name"), list(words()))
def test_a_command_word_names_its_files(command: str, folder: str, name: str) -> None:
    assert (SOURCE / "cli" / folder / f"{name}.py").is_file()
    if command not in ONLY_PRINT:
        assert (SOURCE / "app" / folder / f"{name}.py").is_file()


def test_every_file_of_a_noun_in_cli_is_a_command_or_serves_one() -> None:
    commands = {f"{folder}/{name}.py" for _, folder, name in words()}
    files = {str(path.relative_to(SOURCE / "cli")) for path in (SOURCE / "cli").glob("*/*.py")}
    helpers = {path for path in files - commands if not path.endswith("__init__.py")}
    assert helpers == {"jobs/script_questions.py", "runs/run_options.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_folder_is_seen_at_a_glance(room: str) -> None:
    for folder in [SOURCE / room, *(path for path in (SOURCE / room).rglob("*") if path.is_dir())]:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= MOST, f"{folder.relative_to(SOURCE)} has {len(modules)} modules"


def inner_imports(path: Path) -> set[str]:
    """Return the modules that are imported inside functions of a file, without heavy libraries."""
    found = set()
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom):
                    found.add(node.module or "")
                elif isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
    return {name for name in found if name.partition(".")[0] not in HEAVY}


def test_imports_stand_at_the_top() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        name, found = str(path.relative_to(SOURCE)), inner_imports(path)
        most, _ = ALLOWED.get(name, (0, ""))
        assert len(found) <= most, f"{name} imports inside functions: {', '.join(sorted(found))}"


def test_the_list_of_inner_imports_is_no_longer_than_needed() -> None:
    for name, (most, reason) in ALLOWED.items():
        assert reason
        assert (SOURCE / name).is_file(), f"{name} does not exist: remove it from ALLOWED"
        assert len(inner_imports(SOURCE / name)) == most, f"{name}: lower its number in ALLOWED"
