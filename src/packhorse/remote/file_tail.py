"""What jobs printed, read where it lies: here, or on a site over the session that is open."""

from __future__ import annotations

from msgspec import Struct

from packhorse.remote.transport import Transport

TAIL = 1 << 20  # bytes of a file that are shown


class OutputFile(Struct, frozen=True, kw_only=True):
    """A file to which a job, or an element, writes."""

    path: str
    element: int | None = None
    errors: bool = False
    waits: bool = False  # the job has not begun
    late: bool = False  # the file comes when the job has ended


def output_tail(how: Transport, one: OutputFile) -> str:
    """Return the end of a file; what is not there is said in a sentence."""
    size = how.file_size(one.path)
    if size is None:
        if one.waits:
            return f"(the job has not begun; it will write to {one.path})\n"
        if one.late:
            return f"(the job runs; {one.path} comes when it has ended)\n"
        return f"({one.path} is not there: the job wrote elsewhere, or the file was removed)\n"
    text, _ = read_new(how, one, max(0, size - TAIL))
    if size > TAIL:
        return f"(the last {TAIL >> 20} MB of {size >> 20} MB of {one.path})\n{text}"
    return text or "(it printed nothing)\n"


def read_new(how: Transport, one: OutputFile, at: int) -> tuple[str, int]:
    """Return what a file has from a byte on, and where to go on; nothing while it is not there."""
    data = how.read_file(one.path, at)
    # A character that is cut is read whole the next time.
    whole = len(data)
    for cut in range(1, min(4, len(data)) + 1):
        if data[-cut] >= 0xC0:
            whole = len(data) - cut if _cut(data[-cut:]) else len(data)
            break
    return data[:whole].decode("utf-8", "replace"), at + whole


def _cut(tail_bytes: bytes) -> bool:
    first = tail_bytes[0]
    wanted = 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2
    return len(tail_bytes) < wanted
