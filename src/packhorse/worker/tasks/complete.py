"""Whether the result of a task that was ended is complete, as far as its format tells."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A row that was cut off looks like a shorter value unless its end is seen.
BY_LINES = ("csv", "tsv", "dat", "txt", "text", "ndjson", "yaml")
ENDS = {"parquet": b"PAR1"}  # the last bytes of a file (parquet.apache.org/docs/file-format)


def is_complete(record: "dict[str, Any]", packed: "bytes | None") -> bool:
    """Return whether each file of a result, which was judged to be well-formed, also has its end."""
    data = packed if packed is not None else record["text"].encode("utf-8")
    start = 0
    for _, form, size in record.get("parts") or [["", record.get("format", ""), len(data)]]:
        part, start = data[start : start + size], start + size
        if form in BY_LINES and not part.endswith(b"\n"):
            return False
        if not part.endswith(ENDS.get(form, b"")):
            return False
    return True
