"""Whether the result file of a task that was ended is complete, as far as its format tells."""

PARQUET = b"PAR1"  # the first and the last bytes of a file (parquet.apache.org/docs/file-format)
LINES = ("ndjson", "csv", "tsv", "dat", "txt", "text", "yaml")


def is_complete(data: bytes, form: str) -> bool:
    """Return whether a file that the worker accepts has its end, too: a table ends with a whole row.

    JSON and gzip are accepted only if they are whole; binary arrays show a missing end when the table is made.
    """
    if form == "parquet":
        return len(data) > 12 and data[-4:] == PARQUET
    return form not in LINES or data.endswith(b"\n")
