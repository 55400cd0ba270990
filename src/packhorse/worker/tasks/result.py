"""Taking a command's result: framed bytes from its last line or its file, never parsed here."""

import os

INLINE = 4096  # bytes of a result that stand in the journal itself
LARGEST = 64 << 20  # bytes of a result that a task may have
TOO_LARGE = "the result has more than 64 MiB; name a file in artifacts:"


class NoResult(Exception):
    """A command ended well, but what it should have left is not there; the text says why."""


def from_output(record, stdout, kind):
    """Take the JSON on the last line of the output; return (what goes to the pack, what is left for the log)."""
    cut = stdout.rstrip().rfind(b"\n") + 1
    said = stdout[cut:].strip()
    if _looks_like_json(said, kind):
        if len(said) > LARGEST:
            raise NoResult(TOO_LARGE)
        return attach(record, said, "json"), stdout[:cut]
    if kind == "json":
        raise NoResult("no JSON object on the last line of the output")
    return None, stdout


def _looks_like_json(said, kind):
    ends = said[:1] + said[-1:]
    return ends == b"{}" or (kind == "json" and ends == b"[]")


def from_file(record, path, form):
    """Take a result file and remove it; return what goes to the pack."""
    try:
        if os.stat(path).st_size > LARGEST:
            raise NoResult(TOO_LARGE)
        with open(path, "rb") as stream:
            data = stream.read()
        os.unlink(path)
    except OSError:
        raise NoResult("the command ended well but wrote no %s" % os.path.basename(path)) from None
    return attach(record, data, form)


def attach(record, data, form):
    """Put a result's bytes into its record, or return them to be packed."""
    if form:
        record["format"] = form
    if len(data) <= INLINE:
        try:
            record["text"] = data.decode("utf-8")
            return None
        except UnicodeDecodeError:
            pass
    return data


def starve(record):
    """Make the record that of a task on a full disk: what it wrote may be cut off, whatever its exit status says."""
    for name in ("text", "format", "artifacts"):
        record.pop(name, None)
    cause = "No space left on device"
    if record.get("cause"):
        cause += ": " + record["cause"]
    record.update(outcome="FAILED", exit=record.get("exit", 0), cause=cause)
