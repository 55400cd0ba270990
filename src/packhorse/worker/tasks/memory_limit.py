"""Tasks that could not allocate memory: without control groups a scheduler limits each process, and kills none."""

import re
import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    Printed = Union[bytes, bytearray]

ROWS = 20  # at the end of an output; languages print the calls after the error
# What programs say whose allocation the system refused (ENOMEM).
WORDS = re.compile(
    r"\bMemoryError\b|Unable to allocate .* for an array|std::bad_alloc|cannot allocate (vector|memory)"
    r"|Cannot allocate memory|memory exhausted|OutOfMemoryError|insufficient memory for the Java"
    r"|\b[Oo]ut of memory\b|memory allocation of \d+ bytes failed|refuses to provide memory"
)
# getrlimit(2): the address space, which vmem and pvmem limit on TORQUE, and private data, which mem limits.
LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA)


def process_limit() -> "int | None":
    """Return the MiB that each process may allocate, or None if no limit is set."""
    limits = [resource.getrlimit(name)[0] for name in LIMITS]
    finite = [limit for limit in limits if limit != resource.RLIM_INFINITY]
    return min(finite) >> 20 if finite else None


class ProcessLimits(object):
    """The limits of a process that serves one task after another, any of which may lower them."""

    def __init__(self) -> None:
        self.before = {name: resource.getrlimit(name) for name in LIMITS}

    def restore(self) -> None:
        """Undo what a task has lowered, as far as the system permits it."""
        for name, limit in self.before.items():
            try:
                if resource.getrlimit(name) != limit:
                    resource.setrlimit(name, limit)
            except (OSError, ValueError):  # a hard limit stays lowered
                continue


def memory_cause(cause: str, output: "Printed" = b"") -> str:
    """Return the cause of a failed task that ran into the limit of a process, or an empty text.

    `output` is what the task printed last; the words in it count only where there is such a limit, since without one a
    program that asks for more than any machine has is wrong.
    """
    end = b"\n".join(bytes(output[-8192:]).splitlines()[-ROWS:]).decode("utf-8", "replace")
    if not (WORDS.search(cause) or WORDS.search(end)):
        return ""
    limit = process_limit()
    return "" if limit is None else "%s (each process may have %d MiB)" % (cause or "out of memory", limit)
