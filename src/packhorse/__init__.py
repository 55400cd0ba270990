"""Packhorse carries a research script over its parameters and brings one trustworthy table home."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packhorse import check, task
    from packhorse.api.executor import Executor
    from packhorse.api.job_script import script
    from packhorse.api.map import map_grid as map
    from packhorse.api.run import Run
    from packhorse.api.run import open_run as open
    from packhorse.api.study import Study
    from packhorse.model import errors

    __version__: str

# What is imported when it is asked for: module of `packhorse.api`, and its name there.
PLACES = {
    "CallLost": "calls.values:CallLost",
    "Executor": "executor:Executor",
    "map": "map:map_grid",
    "Run": "run:Run",
    "Study": "study:Study",
    "open": "run:open_run",
    "script": "job_script:script",
}
__all__ = [
    "CallLost",
    "Executor",
    "Run",
    "Study",
    "__version__",
    "check",
    "errors",
    "map",
    "open",
    "register_joblib",
    "script",
    "task",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `packhorse --help` and tasks pay for nothing else."""
    from importlib import import_module
    from importlib.metadata import version

    if name == "__version__":
        return version("packhorse")
    if name in PLACES:
        module, _, member = PLACES[name].partition(":")
        return getattr(import_module(f"packhorse.api.{module}"), member)
    if name in ("check", "errors", "task"):
        return import_module("packhorse.model.errors" if name == "errors" else f"packhorse.{name}")
    raise AttributeError(f"module 'packhorse' has no attribute {name!r}")


def register_joblib() -> None:
    """Let `joblib.parallel_config("packhorse")` find Packhorse; `import packhorse` does so where joblib is imported."""
    from packhorse.integrations.joblib_backend import register

    register()


def _register_lazily() -> None:
    joblib = sys.modules.get("joblib.parallel")
    if joblib is not None:
        joblib.EXTERNAL_BACKENDS.setdefault("packhorse", register_joblib)


_register_lazily()


def __dir__() -> list[str]:
    return __all__
