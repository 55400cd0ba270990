"""What a task printed that is nearly a result, and how to make it one."""

from __future__ import annotations

import json
import re

from packhorse.worker.results.judgement import parse_json
from packhorse.worker.results.literals import literal_as_json

ONE_LINE = "print it on one line: json.dumps(x) without indent, in R toJSON(x, auto_unbox = TRUE)"
MOST_LINES = 400  # at the end of the output, in which an object over several lines may begin
NUMBER = re.compile(r"(?:\[1\] )?([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)")  # [1]: as R prints it


def near_miss(log: str) -> str:
    """Return why the output in a task's log has no result, as a clause; empty where nothing in it is like one."""
    output = log.partition("\n")[2].partition("\n-- stderr --\n")[0]
    lines = output.rstrip().splitlines()[-MOST_LINES:]
    if not lines:
        return ""
    last = lines[-1].strip()
    start = next((at for at in reversed(range(len(lines))) if lines[at].startswith("{")), -1)
    if last.endswith("}") and 0 <= start < len(lines) - 1 and _is_object("\n".join(lines[start:])):
        return f"printed a JSON object on {len(lines) - start} lines; {ONE_LINE}"
    at = next((at for at in reversed(range(len(lines))) if _is_object(lines[at])), -1)
    if at >= 0:
        return f"printed {_short(last)!r} after its JSON object; print the object last"
    brace = last.find("{")
    if brace > 0 and _is_object(last[brace:]):
        return f"printed {_short(last[:brace])!r} before its JSON object; print the object alone"
    number = NUMBER.fullmatch(last)
    if number:
        return f'printed the number {number[1]} alone; print it with a name: {{"value": {number[1]}}}'
    return ""


def _is_object(text: str) -> bool:
    try:
        return isinstance(parse_json(text.encode()), dict)
    except ValueError:
        pass
    try:
        return isinstance(json.loads(literal_as_json(text)), dict)
    except (ValueError, TypeError, RecursionError):
        return False


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 40 else text[:37] + "..."
