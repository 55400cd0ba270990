"""Whether the result file of a task that was ended is complete, as far as its format tells."""

import csv
import io
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PARQUET = b"PAR1"  # the first and the last bytes of a file (parquet.apache.org/docs/file-format)


def is_complete(data: bytes, form: str) -> bool:
    """Return whether a file has all that its format asks for; a table ends with a whole row."""
    if form == "parquet":
        return len(data) > 12 and data[:4] == data[-4:] == PARQUET
    try:
        text = data.decode("utf-8")
        if form == "json":
            return bool(text.strip()) and isinstance(json.loads(text), (dict, list, int, float, str))
        if not text.endswith("\n"):
            return False
        if form == "ndjson":
            return all(_is_json(row) for row in text.splitlines() if row.strip())
        if form == "csv":
            widths = {len(row) for row in csv.reader(io.StringIO(text), strict=True) if row}
            return len(widths) == 1 and text.count("\n") > 1
        return bool(text.strip())
    except (ValueError, csv.Error):
        return False


def _is_json(text: str) -> "Any":
    json.loads(text)
    return True
