"""What a task can import: packages of the interpreter, and modules of the project, which are in the snapshot."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle


def function_name(function: Callable[..., Any], root: Path) -> str:
    """Return `module:name` of a function that a task of the project at `root` can import; empty for any other."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "")
    if not isinstance(module, str) or not name or "<" in name or not _is_importable(module, root):
        return ""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is function else ""


def pickled(value: Any, root: Path, buffers: Callable[[Any], bool] | None = None) -> bytes:
    """Return the pickle of a value; what is defined in a script, or in a module that no task can import, goes by value.

    `buffers` takes the bytes of arrays that the pickle may leave out, and returns true for those that it must hold
    (PEP 574).
    """
    ours = _foreign_modules(root)
    for module in ours:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(value, buffer_callback=buffers))
    finally:
        for module in ours:
            cloudpickle.unregister_pickle_by_value(module)


_seen: dict[
    Path, tuple[int, list[ModuleType]]
] = {}  # by root: number of modules when it was looked, and the foreign


def _foreign_modules(root: Path) -> list[ModuleType]:
    """Return the imported packages, and modules outside of packages, that no task can import."""
    number, found = _seen.get(root, (0, []))
    if number != len(sys.modules):
        loaded = list(sys.modules.items())
        already = cloudpickle.list_registry_pickle_by_value()
        tops = {name for name, module in loaded if "." not in name and getattr(module, "__file__", None)}
        tops = {name for name in tops if not _is_importable(name, root)} - {"__main__", "__mp_main__"}
        found = [module for name, module in loaded if name in tops and name not in already]
        # A package of a folder without __init__.py has no file.
        spaces = {name.partition(".")[0] for name, module in loaded if "." in name}
        spaces = {name for name in spaces - tops if _is_space(name) and not _is_importable(name, root)}
        found += [sys.modules[name] for name in spaces if name not in already]
        _seen[root] = (len(sys.modules), found)
    return found


def _is_space(name: str) -> bool:
    module = sys.modules.get(name)
    return (
        isinstance(module, ModuleType)
        and getattr(module, "__file__", None) is None
        and hasattr(module, "__path__")
    )


@lru_cache(maxsize=1000)
def _is_importable(module: str, root: Path) -> bool:
    """Return whether a task can import a module: no script, no notebook, and nothing that only this process finds."""
    top = module.partition(".")[0]
    if top in ("__main__", "__mp_main__"):
        return False
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return True
    return PathFinder.find_spec(top, [path for path in sys.path if _is_shared(path, root)]) is not None


def _is_shared(path: str, root: Path) -> bool:
    """Return whether an entry of this process's search path is one of its interpreter, or in the project."""
    place = Path(path).resolve() if path else root
    folders = (root, Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve())
    return any(place.is_relative_to(folder) for folder in folders) or path in _of_interpreter()


@lru_cache(maxsize=1)
def _of_interpreter() -> frozenset[str]:
    """Return further entries of every process of this interpreter: of PYTHONPATH, the user's packages, and .pth files."""
    found = set(os.environ.get("PYTHONPATH", "").split(os.pathsep))
    folders = [*site.getsitepackages(), site.getusersitepackages()]
    found |= set(folders)
    for folder in folders:
        for file in sorted(Path(folder).glob("*.pth")) if Path(folder).is_dir() else ():
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
            found |= {
                str(Path(folder, line)) for line in lines if line and not line.startswith(("#", "import"))
            }
    return frozenset(found - {""})
