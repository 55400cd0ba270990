"""The process-wide random generators of a function server: each task begins at a state of its own."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

    from packhorse.worker.tasks.task import Task


def _seed_random(module: "Any", task: "Task") -> None:
    if hasattr(module, "seed"):  # else it is the project's own random.py
        module.seed(task.seed)


# `random` is not imported here: seeding it takes longer than the rest of a short task, and few tasks use it.
SEEDERS: "dict[str, Callable[[Any, Task], Any]]" = {
    "random": _seed_random,
    "numpy.random": lambda module, task: module.seed(task.seed32),
    "torch": lambda module, task: module.manual_seed(task.seed),
}


class Seeding(object):
    """Seeds, before each task, the generators that are loaded, and seeds the others when a task loads them.

    It is an entry of sys.meta_path, since a function may import `random`, and NumPy loads numpy.random, only when
    it is first used: the first task of each slot would otherwise draw unseeded numbers.
    """

    def __init__(self) -> None:
        self.task: "Task | None" = None

    def begin(self, task: "Task") -> None:
        """Give the generators a state that depends on the task alone, not on what ran before it."""
        self.task = task
        for name, seed in SEEDERS.items():
            module = sys.modules.get(name)
            if module is not None:
                seed(module, task)

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        """Find a module that has generators by the other finders, and give it a loader that seeds it."""
        if name not in SEEDERS:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    loader: "Any" = _Loader(spec.loader, self)
                    spec.loader = loader
                return spec
        return None


class _Loader(object):
    def __init__(self, loader: "Any", seeding: Seeding) -> None:
        self.loader, self.seeding = loader, seeding

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.loader, name)

    def create_module(self, spec: "ModuleSpec") -> "Any":
        return self.loader.create_module(spec)

    def exec_module(self, module: "ModuleType") -> None:
        self.loader.exec_module(module)
        if self.seeding.task is not None:
            SEEDERS[module.__name__](module, self.seeding.task)


def numpy_generator(seed: int) -> "Any":
    """Return numpy's recommended generator for a seed."""
    import numpy

    return numpy.random.default_rng(seed)
