"""Checks of results: simulation studies, benchmarks, convergence, calibration, references, and tables of any kind.

    from packhorse import check

    measured = check.performance("runs/coverage/results.csv", check.Columns(estimate="estimate", truth=2, se="se"))
    finding = check.benchmark(measured, "coverage", 0.95)
    print(finding)

A check returns a `Finding`, whose verdict is pass, fail, or could not tell. Checks need NumPy and SciPy: pip install
'packhorse[check]'.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from packhorse.check.drawing import Picture
from packhorse.check.finding import Finding, Verdict, worst
from packhorse.model.errors import UsageError

if TYPE_CHECKING:
    from packhorse.check.amdahl import Amdahl, serial_fraction
    from packhorse.check.benchmarks import agrees, benchmark, means
    from packhorse.check.expectations import expect, matching
    from packhorse.check.manufactured_solutions import manufactured
    from packhorse.check.orders import exponent, order_of_convergence, order_of_values, richardson
    from packhorse.check.paired import compare_methods
    from packhorse.check.parameters import parameters_used
    from packhorse.check.power_laws import Axis, NoFitError, PowerLaw
    from packhorse.check.ranks import uniform_ranks
    from packhorse.check.references import Tolerance, compare_tables, same_as_reference
    from packhorse.check.simulation import Columns, performance, replicates_needed, wide
    from packhorse.check.stochastic import strong_order, weak_order
    from packhorse.check.table_checks import complete, finite, outliers, seed_used, seeds_differ
    from packhorse.check.tables import factors_of, read_table

# What is imported when it is asked for, since NumPy and SciPy are an extra: the module here.
MODULES = {
    "Amdahl": "amdahl",
    "Axis": "power_laws",
    "Columns": "simulation",
    "NoFitError": "power_laws",
    "PowerLaw": "power_laws",
    "Tolerance": "references",
    "agrees": "benchmarks",
    "benchmark": "benchmarks",
    "compare_methods": "paired",
    "compare_tables": "references",
    "complete": "table_checks",
    "expect": "expectations",
    "exponent": "orders",
    "factors_of": "tables",
    "finite": "table_checks",
    "manufactured": "manufactured_solutions",
    "matching": "expectations",
    "means": "benchmarks",
    "order_of_convergence": "orders",
    "order_of_values": "orders",
    "outliers": "table_checks",
    "parameters_used": "parameters",
    "performance": "simulation",
    "read_table": "tables",
    "replicates_needed": "simulation",
    "richardson": "orders",
    "same_as_reference": "references",
    "seed_used": "table_checks",
    "seeds_differ": "table_checks",
    "serial_fraction": "amdahl",
    "strong_order": "stochastic",
    "uniform_ranks": "ranks",
    "weak_order": "stochastic",
    "wide": "simulation",
}
__all__ = [
    "Amdahl",
    "Axis",
    "Columns",
    "Finding",
    "NoFitError",
    "Picture",
    "PowerLaw",
    "Tolerance",
    "Verdict",
    "agrees",
    "benchmark",
    "compare_methods",
    "compare_tables",
    "complete",
    "expect",
    "exponent",
    "factors_of",
    "finite",
    "manufactured",
    "matching",
    "means",
    "order_of_convergence",
    "order_of_values",
    "outliers",
    "parameters_used",
    "performance",
    "read_table",
    "replicates_needed",
    "richardson",
    "same_as_reference",
    "seed_used",
    "seeds_differ",
    "serial_fraction",
    "strong_order",
    "uniform_ranks",
    "weak_order",
    "wide",
    "worst",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for; raise UsageError where NumPy or SciPy is not installed."""
    if name not in MODULES:
        raise AttributeError(f"module 'packhorse.check' has no attribute {name!r}")
    try:
        return getattr(import_module(f"packhorse.check.{MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("numpy", "scipy", "sympy"):
            extra = "symbolic" if error.name == "sympy" else "check"
            raise UsageError(
                f"checks need {error.name}, which is not installed", f"pip install 'packhorse[{extra}]'"
            ) from error
        raise
