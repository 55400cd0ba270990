"""The result of a command: bytes from the last line of its output or from its file, framed and not parsed."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INLINE = 4096  # bytes of a result that the journal itself holds
LARGEST = 64 << 20  # bytes of a result
TOO_LARGE = "the result is larger than 64 MiB; name a file in artifacts:"


class NoResult(Exception):
    """A command succeeded but its result is missing; the text says why."""


def result_from_output(record: "dict[str, Any]", stdout: bytes, kind: str) -> "tuple[bytes | None, bytes]":
    """Take the JSON on the last line of the output; return (bytes for the pack or None, the rest for the log)."""
    cut = stdout.rstrip().rfind(b"\n") + 1
    last = stdout[cut:].strip()
    ends = last[:1] + last[-1:]
    if ends == b"{}" or (kind == "json" and ends == b"[]"):
        if len(last) > LARGEST:
            raise NoResult(TOO_LARGE)
        return attach(record, last, "json"), stdout[:cut]
    if kind == "json":
        raise NoResult("no JSON object on the last line of the output")
    return None, stdout


def result_from_file(record: "dict[str, Any]", path: str, form: str) -> "bytes | None":
    """Take and remove a result file; return the bytes for the pack, or None."""
    try:
        if os.stat(path).st_size > LARGEST:
            raise NoResult(TOO_LARGE)
        with open(path, "rb") as stream:
            data = stream.read()
        os.unlink(path)
    except OSError:
        raise NoResult("the command succeeded but wrote no %s" % os.path.basename(path)) from None
    return attach(record, data, form)


def attach(record: "dict[str, Any]", data: bytes, form: str) -> "bytes | None":
    """Put a short result into its record and return None; return a long one, for the pack."""
    if form:
        record["format"] = form
    if len(data) <= INLINE:
        try:
            record["text"] = data.decode("utf-8")
            return None
        except UnicodeDecodeError:
            pass
    return data


def fail_for_space(record: "dict[str, Any]") -> None:
    """Turn a record into a failure for lack of disk space: what the task wrote may be cut off, whatever its exit status."""
    for name in ("text", "format", "artifacts"):
        record.pop(name, None)
    cause = "No space left on device"
    if record.get("cause"):
        cause += ": " + record["cause"]
    record.update(outcome="FAILED", exit=record.get("exit", 0), cause=cause)
