"""Packhorse carries a research script over its parameters and brings one trustworthy table home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packhorse import check, task
    from packhorse.api.job_script import script
    from packhorse.api.run import Run
    from packhorse.api.run import open_run as open
    from packhorse.api.study import Study
    from packhorse.model import errors

    __version__: str

# What is imported when it is asked for: module of `packhorse.api`, and its name there.
PLACES = {"Run": "run:Run", "Study": "study:Study", "open": "run:open_run", "script": "job_script:script"}
__all__ = ["Run", "Study", "__version__", "check", "errors", "open", "script", "task"]


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


def __dir__() -> list[str]:
    return __all__
