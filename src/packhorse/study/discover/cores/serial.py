"""Whether a script uses only one core, judged by the packages that it loads."""

from __future__ import annotations

import ast
import re
import sys

# Modules of the standard library that start threads or processes.
_STARTS = frozenset(
    {"multiprocessing", "concurrent", "threading", "_thread", "subprocess", "os", "asyncio", "ctypes"}
)
# R functions and packages that use several cores, by themselves or through BLAS, or that start programs.
_R_USES = re.compile(
    r"\b(?:parallel|future\w*|furrr|foreach|do[A-Z]\w+|%dopar%|mclapply|BiocParallel|data\.table|Rcpp\w*|torch|keras|"
    r"tensorflow|xgboost|lightgbm|ranger|brms|rstan|cmdstanr|RhpcBLASctl|mc\.cores|cores|threads|nthreads?|system2?|"
    r"solve|svd|qr|chol\w*|eigen|crossprod|lmer?|glm\w*|gam)\b|%\*%"
)
_R_LOADS = re.compile(r"\b(?:library|require|requireNamespace|source)\s*\(|::")


def is_serial(source: str, suffix: str) -> bool:
    """Return whether a script, with this suffix of its file, certainly uses one core only.

    That is the case for Python with only the serial part of the standard library, and for R without packages and
    linear algebra. All other packages may start threads.
    """
    if suffix.lower() == ".py":
        return _serial_python(source)
    return suffix.lower() == ".r" and not _R_USES.search(source) and not _R_LOADS.search(source)


def _serial_python(source: str) -> bool:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    loaded: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            loaded |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            loaded.add("." if node.level else node.module or ".")
        elif isinstance(node, ast.Name) and node.id in {"__import__", "exec", "eval"}:
            return False
    # os.path starts nothing.
    packages = {name.partition(".")[0] for name in loaded if name != "os.path"}
    starters = _STARTS if _starts_by_os(tree) else _STARTS - {"os"}
    return packages <= sys.stdlib_module_names - starters


def _starts_by_os(tree: ast.AST) -> bool:
    calls = ("fork", "system", "popen", "spawn", "posix_spawn", "exec")
    return any(isinstance(node, ast.Attribute) and node.attr.startswith(calls) for node in ast.walk(tree))
