"""Why a task failed, in one line: from what it printed, or from the log that its program wrote instead."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    Printed = Union[bytes, bytearray]

WINDOW = 64 << 10  # bytes at the end of an output in which a cause is looked for
HEAD, TAIL = 250, 150  # characters of a long cause that are kept at its beginning and end
CUT = " [...] "
MESSAGE_ROWS = 8  # of a message of several lines
TRACEBACK = "Traceback (most recent call last):"
# R prints these after the message of an error; rlang and tidyverse print a backtrace, too. A warning that comes with
# the error stays, since it names the file that could not be opened.
AFTER_R = ("Execution halted", "Backtrace:", "Traceback:")
LOGS = (".rout", ".log", ".err", ".out")  # R CMD BATCH, Stata, SAS and others write here instead of printing
SLACK = 0.05  # seconds; the clock of a file system is coarser than ours


def failure_cause(stdout: bytes, stderr: bytes) -> str:
    """Return the line that gives the cause of a failure, empty if nothing was printed."""
    return cause_in(stderr) or cause_in(stdout)


def cause_in(output: bytes) -> str:
    """Return the cause in the end of an output: an error of Python, R or Julia, else the last line with a word."""
    text = output[-WINDOW:].decode("utf-8", "replace")
    rows = [row.rstrip() for row in text.split("\n")]
    found = _python(rows) or _other(rows)
    if not found:
        worded = [row.strip() for row in rows if any(character.isalnum() for character in row)]
        found = [row for row in worded if not row.startswith(("Execution halted", "Calls:"))][-1:]
    return shorten_cause(" ".join(found))


def _python(rows: "list[str]") -> "list[str]":
    """Return the exception of the last traceback: its line, and more lines of its message."""
    starts = [at for at, row in enumerate(rows) if row.lstrip(" |+").startswith(TRACEBACK)]
    for at in range(starts[-1] + 1, len(rows)) if starts else ():
        if rows[at] and not rows[at].startswith((" ", "\t")):
            message = [row.strip() for row in rows[at:] if row.strip()]
            if len(message) > MESSAGE_ROWS:  # a script may have caught this one, and given its reason last
                message[MESSAGE_ROWS - 2 : -1] = [CUT.strip()]
            return message
    return []


def _other(rows: "list[str]") -> "list[str]":
    """Return the last error of R or Julia, without the calls that led to it."""
    for at in range(len(rows) - 1, -1, -1):
        row = rows[at]
        if row.startswith(("Error in ", "Error: ", "Error:", "Error (")) or row == "Error":
            ends: "tuple[str, ...]" = AFTER_R
        elif row.startswith("ERROR: ") and "Stacktrace:" in rows[at:]:
            ends = ("Stacktrace:",)
        else:
            continue
        message = []
        for part in rows[at : at + MESSAGE_ROWS]:
            if part.strip().startswith(ends):
                break
            if not part.startswith("Calls:"):
                message.append(part.strip())
        return [part for part in message if part]
    return []


def shorten_cause(text: str) -> str:
    """Return a cause with its beginning and its end, since either may hold the reason."""
    text = text.strip()
    if len(text) <= HEAD + TAIL + len(CUT):
        return text
    return text[:HEAD] + CUT + text[-TAIL:]


def written_log(folder: str, begin: float) -> "tuple[str, bytes]":
    """Return the newest log that was written in a folder since `begin` (Unix seconds): (name, its end), or ("", b"")."""
    newest, name = begin - SLACK, ""
    try:
        for entry in os.scandir(folder):
            if entry.name.lower().endswith(LOGS) and entry.is_file(follow_symlinks=False):
                changed = entry.stat().st_mtime
                if changed >= newest:
                    newest, name = changed, entry.name
        if not name:
            return "", b""
        with open(os.path.join(folder, name), "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - WINDOW))
            return name, stream.read()
    except OSError:
        return "", b""
