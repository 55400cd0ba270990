"""The process-wide random generators of a slot of functions: each task begins at a state of its own."""

import sys


def _seed_random(module, task):
    if hasattr(module, "seed"):  # else it is the project's own random.py
        module.seed(task.seed)


# `random` is not imported here: seeding it takes longer than the rest of a short task, and few tasks use it.
SEEDERS = {
    "random": _seed_random,
    "numpy.random": lambda module, task: module.seed(task.seed32),
    "torch": lambda module, task: module.manual_seed(task.seed),
}


class Seeding(object):
    """Seeds before each task what is loaded, and what a task loads at that very moment.

    It stands in sys.meta_path, since a function may import `random`, and NumPy loads numpy.random, only when
    it is first used: the first task of each slot would otherwise draw unseeded numbers.
    """

    def __init__(self):
        self.task = None

    def begin(self, task):
        """Give the generators a state that depends on the task alone, not on what ran before it."""
        self.task = task
        for name, seed in SEEDERS.items():
            module = sys.modules.get(name)
            if module is not None:
                seed(module, task)

    def find_spec(self, name, path=None, target=None):
        """Find what the other finders find; a module of ours gets a loader that seeds it."""
        if name not in SEEDERS:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader(object):
    def __init__(self, loader, seeding):
        self.loader, self.seeding = loader, seeding

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        if self.seeding.task is not None:
            SEEDERS[module.__name__](module, self.seeding.task)


def numpy_generator(seed):
    """Return numpy's recommended generator for a seed."""
    import numpy

    return numpy.random.default_rng(seed)
