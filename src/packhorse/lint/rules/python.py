"""Rules of Python source: cores, processes, and loops that get slower as they go."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from packhorse.jobscript.lines import Edit
from packhorse.lint.rule import Note, rule
from packhorse.lint.source import PythonSource

_COUNTS = {"os.cpu_count", "multiprocessing.cpu_count"}
_POOLS = {"multiprocessing.Pool", "multiprocessing.pool.Pool", "concurrent.futures.ProcessPoolExecutor"}


def _at(node: ast.expr | ast.stmt, message: str, advice: str = "", edits: tuple[Edit, ...] = ()) -> Note:
    return Note(message=message, line=node.lineno, column=node.col_offset, advice=advice, edits=edits)


@rule("J14", "hint", "The program counts the cores of the machine, not those of the job.", kind="python")
def machine_cores(source: PythonSource) -> Iterator[Note]:
    """Count the cores that the job has: `len(os.sched_getaffinity(0))`.

    `os.cpu_count()` is the number of the whole node. With four requested cores of 128, 128 processes share the four, and
    the memory of 128 processes is needed. `multiprocessing.Pool()` without a number does the same.

    The rule is silent where the source asks for the affinity or for a variable of the scheduler as well.
    """
    if any(
        name in source.text
        for name in ("sched_getaffinity", "CPUS_PER_TASK", "process_cpu_count", "SLURM_", "PBS_")
    ):
        return
    advice = "len(os.sched_getaffinity(0))"
    for call, name in source.calls():
        if name in _COUNTS:
            yield _at(call, f"{name}() is the number of cores of the whole node", advice)
        elif name in _POOLS and not call.args and not call.keywords:
            yield _at(call, f"{name}() starts a process for each core of the node", f"give it {advice}")


@rule("P01", "hint", "A process pool is started without the main guard.", kind="python")
def main_guard(source: PythonSource) -> Iterator[Note]:
    """Start pools below `if __name__ == "__main__":`.

    Where processes are spawned (macOS, Windows, and Linux from Python 3.14 on with `forkserver`), each imports the
    script again, and would start a pool of its own: Python ends with a RuntimeError.
    """
    for node in source.tree.body:
        if isinstance(node, ast.If | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Call) and source.name(inner.func) in _POOLS:
                yield _at(inner, "a process pool outside of the main guard", 'if __name__ == "__main__":')
                return


_GROWING = {
    "numpy.append",
    "numpy.concatenate",
    "numpy.vstack",
    "numpy.hstack",
    "numpy.r_",
    "pandas.concat",
    "torch.cat",
}


@rule("P02", "hint", "An array or a frame grows in a loop.", kind="python")
def growing_array(source: PythonSource) -> Iterator[Note]:
    """Append to a list, and make the array or the frame once, after the loop.

    `x = np.append(x, y)` and `frame = pd.concat([frame, row])` copy all that is there at each step, so that the time
    grows with the square of the number of steps.

    Example: `rows.append(row)` in the loop, `frame = pd.DataFrame(rows)` below.
    """
    seen: set[int] = set()
    for loop in source.loops:
        for node in ast.walk(loop):
            if (
                not isinstance(node, ast.Assign)
                or not isinstance(node.value, ast.Call)
                or node.lineno in seen
            ):
                continue
            targets = {one.id for one in node.targets if isinstance(one, ast.Name)}
            name = source.name(node.value.func)
            if name in _GROWING and targets & _first_names(node.value):
                seen.add(node.lineno)
                yield _at(node, f"{name} copies all of {min(targets)} at each step of the loop")


def _first_names(call: ast.Call) -> set[str]:
    """Return the variables of the first argument: x of f(x, 1), and of f([x, 1])."""
    first = call.args[0] if call.args else None
    parts = first.elts if isinstance(first, ast.List | ast.Tuple) else [first]
    return {one.id for one in parts if isinstance(one, ast.Name)}


@rule("P03", "hint", "The rows of a frame are visited one by one.", kind="python")
def row_by_row(source: PythonSource) -> Iterator[Note]:
    """Compute with whole columns, or use `itertuples()`.

    `iterrows()` makes a Series of each row, which takes some 50 microseconds, and changes types: whole numbers become
    floats. `itertuples()` is ten times as fast, arithmetic on columns a thousand times.
    """
    if not any(name.partition(".")[0] == "pandas" for name in source.modules.values()):
        return
    for loop in source.loops:
        if isinstance(loop, ast.For) and isinstance(loop.iter, ast.Call):
            function = loop.iter.func
            if isinstance(function, ast.Attribute) and function.attr == "iterrows":
                yield _at(
                    loop.iter, "iterrows() makes a Series of each row", "itertuples(), or whole columns"
                )


@rule("P04", "hint", "A list is searched in the loop that fills it.", kind="python")
def list_search(source: PythonSource) -> Iterator[Note]:
    """Use a set for what was seen: `if x in seen` reads a list from its beginning each time.

    The time grows with the square of the length. A set answers at once; where the order counts, `dict.fromkeys(...)`
    keeps it.
    """
    seen: set[int] = set()
    for loop in source.loops:
        inside = list(ast.walk(loop))
        filled = {
            node.func.value.id
            for node in inside
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "append"
            and isinstance(node.func.value, ast.Name)
        }
        for node in inside:
            if not isinstance(node, ast.Compare) or not isinstance(node.ops[0], ast.In | ast.NotIn):
                continue
            where = node.comparators[0]
            if isinstance(where, ast.Name) and where.id in filled and node.lineno not in seen:
                seen.add(node.lineno)
                yield _at(node, f"the list {where.id} is searched in the loop that fills it", "use a set")


# Names of projects, and slips, that cannot be imported, and what can.
_MISSPELT = {
    "pytorch": "torch", "opencv": "cv2", "pyyaml": "yaml", "scikit_learn": "sklearn", "sckit": "sklearn",
    "nunpy": "numpy", "numpi": "numpy", "pandsa": "pandas", "padnas": "pandas", "pnadas": "pandas",
    "matplotib": "matplotlib", "matplolib": "matplotlib", "scpiy": "scipy", "sicpy": "scipy",
    "statsmodel": "statsmodels", "tensorfow": "tensorflow", "sklern": "sklearn", "seaborne": "seaborn",
}  # fmt: skip


@rule("P05", "error", "A package has another name when it is imported.", kind="python")
def misspelt_package(source: PythonSource) -> Iterator[Note]:
    """Import the module's name: `import torch`, `import cv2`, `import yaml`, `import sklearn`.

    The name of the project (pytorch, opencv, pyyaml, scikit-learn) is that for installing. An import inside `try` is
    not reported.
    """
    tried = {
        id(inner) for node in ast.walk(source.tree) if isinstance(node, ast.Try) for inner in ast.walk(node)
    }
    for node in ast.walk(source.tree):
        if id(node) in tried or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for name in names:
            right = _MISSPELT.get(name.partition(".")[0])
            if right and not getattr(node, "level", 0):
                yield _at(node, f"no package is imported as {name}", f"did you mean {right}?")
