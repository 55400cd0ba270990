"""Checks of results: simulation studies, benchmarks, convergence, calibration, references, and tables of any kind.

    from packhorse import check

    measured = check.performance("runs/coverage/results.csv", check.Columns(estimate="estimate", truth=2, se="se"))
    finding = check.benchmark(measured, "coverage", 0.95)
    print(finding)

A check returns a `Finding`, whose verdict is pass, fail, or could not tell. Checks need NumPy and SciPy: pip install
'packhorse[check]'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packhorse.check.finding import Finding, Picture, Verdict, worst
from packhorse.model.errors import UsageError

if TYPE_CHECKING:
    from packhorse.check.benchmarks import agrees, benchmark, means
    from packhorse.check.paired import compare_methods
    from packhorse.check.simulation import Columns, performance, replicates_needed, wide
    from packhorse.check.tables import read_table

# What is imported when it is asked for, since NumPy and SciPy are an extra: the module here.
MODULES = {
    "Columns": "simulation",
    "agrees": "benchmarks",
    "benchmark": "benchmarks",
    "compare_methods": "paired",
    "means": "benchmarks",
    "performance": "simulation",
    "read_table": "tables",
    "replicates_needed": "simulation",
    "wide": "simulation",
}
__all__ = [
    "Columns",
    "Finding",
    "Picture",
    "Verdict",
    "agrees",
    "benchmark",
    "compare_methods",
    "means",
    "performance",
    "read_table",
    "replicates_needed",
    "wide",
    "worst",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for; raise UsageError where NumPy or SciPy is not installed."""
    if name not in MODULES:
        raise AttributeError(f"module 'packhorse.check' has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"packhorse.check.{MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("numpy", "scipy", "sympy"):
            extra = "symbolic" if error.name == "sympy" else "check"
            raise UsageError(f"checks need {error.name}, which is not installed", f"pip install 'packhorse[{extra}]'") from error
        raise
