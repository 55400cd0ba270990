"""The output files of jobs, read on this machine or over the open session to a site."""

from __future__ import annotations

from msgspec import Struct

from packhorse.remote.transport import Transport

TAIL = 1 << 20  # bytes of a file that are shown


class OutputFile(Struct, frozen=True, kw_only=True):
    """An output file of a job, or of an element of an array."""

    path: str
    element: int | None = None
    errors: bool = False  # standard error
    waits: bool = False  # the job has not started
    late: bool = False  # the scheduler writes the file when the job has ended


def output_tail(transport: Transport, file: OutputFile) -> str:
    """Return the last TAIL bytes of a file, or a sentence where it does not exist."""
    size = transport.file_size(file.path)
    if size is None:
        if file.waits:
            return f"(the job has not started; it will write to {file.path})\n"
        if file.late:
            return f"(the job is running; {file.path} is written when it ends)\n"
        return f"({file.path} does not exist: the job wrote to another file, or it was removed)\n"
    text, _ = read_new(transport, file, max(0, size - TAIL))
    if size > TAIL:
        return f"(the last {TAIL >> 20} MB of {size >> 20} MB of {file.path})\n{text}"
    return text or "(no output)\n"


def read_new(transport: Transport, file: OutputFile, offset: int) -> tuple[str, int]:
    """Return the text of a file from an offset on, and the next offset; nothing while the file does not exist."""
    data = transport.read_file(file.path, offset)
    # A UTF-8 character that is cut off at the end is left for the next read.
    whole = len(data)
    for cut in range(1, min(4, len(data)) + 1):
        if data[-cut] >= 0xC0:
            whole = len(data) - cut if _is_cut_off(data[-cut:]) else len(data)
            break
    return data[:whole].decode("utf-8", "replace"), offset + whole


def _is_cut_off(character: bytes) -> bool:
    first = character[0]
    length = 4 if first >= 0xF0 else 3 if first >= 0xE0 else 2
    return len(character) < length
