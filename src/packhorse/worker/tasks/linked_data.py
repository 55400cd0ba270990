"""Data that is linked into the working copies: a task that writes to it changes the user's own files, which is told."""

import os

from packhorse.task_inputs import file_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    State = dict[str, tuple[int, int]]  # path -> size, mtime in ns

MOST_FILES = 10000  # of which sizes and times are compared, since a file server may take a while to tell them


def input_states(inputs: "Mapping[str, str]") -> "dict[str, list[int]]":
    """Return size and mtime (ns) of each input that exists, by name, so that tasks can tell that it has changed."""
    states = {}
    for name, path in inputs.items():
        try:
            states[name] = file_state(path)
        except OSError:
            pass  # the task that asks for it says so
    return states


class LinkedData(object):
    """The state of a study's data when a worker begins."""

    def __init__(self, links: "Iterable[Sequence[str]]") -> None:
        self.links = list(links)
        self.before = self._state()

    def _state(self) -> "State":
        state: "State" = {}
        for name, target in self.links:
            for path in _files(target):
                if len(state) >= MOST_FILES:
                    return state
                try:
                    stats = os.stat(path)
                except OSError:
                    continue
                state[os.path.normpath(os.path.join(name, os.path.relpath(path, target)))] = (
                    stats.st_size,
                    stats.st_mtime_ns,
                )
        return state

    def changed(self) -> "list[str]":
        """Return the names of files that are new, changed or gone now."""
        now = self._state()
        return sorted(name for name in set(self.before) | set(now) if now.get(name) != self.before.get(name))


def _files(target: str) -> "Iterator[str]":
    if not os.path.isdir(target):
        yield target
    for folder, folders, names in os.walk(target):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(folder, name)
