"""PACKHORSE_TASK in this process's environment, changed for every task of a slot of functions."""

import os

from packhorse.worker.tasks.environment import LONGEST

try:
    import ctypes

    HAS_CTYPES = True
except ImportError:  # a Python built without libffi
    HAS_CTYPES = False

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NAME = b"PACKHORSE_TASK"
PREFIX = NAME + b"="


class TaskVariable(object):
    """The variable, whose text is overwritten in place.

    setenv(3) never frees the text that it replaces: a million tasks would cost 300 MB. With putenv(3) the text is
    ours. It is put in place for every task, since a task may have changed or removed the variable.
    """

    def __init__(self) -> None:
        self.known: "dict[bytes, bytes] | None" = getattr(os.environ, "_data", None)
        self.library: "Any" = None
        if not HAS_CTYPES or type(self.known) is not dict:
            return
        self.library = ctypes.CDLL(None)
        self.library.malloc.restype = ctypes.c_void_p
        self.library.malloc.argtypes = [ctypes.c_size_t]
        self.library.putenv.argtypes = [ctypes.c_void_p]
        self.address = self.library.malloc(
            LONGEST
        )  # never freed, as the environment refers to it until the end
        if not self.address:
            raise MemoryError
        self.text = memoryview((ctypes.c_char * LONGEST).from_address(self.address)).cast("B")
        self.text[: len(PREFIX)] = PREFIX

    def set(self, content: str) -> None:
        """Set the variable to ASCII text that is shorter than LONGEST with its name."""
        value = content.encode("ascii")
        if self.library is None or self.known is None:
            os.environ["PACKHORSE_TASK"] = content
            return
        self.text[len(PREFIX) : len(PREFIX) + len(value) + 1] = value + b"\0"
        self.library.putenv(self.address)
        self.known[NAME] = value  # what os.environ shows
