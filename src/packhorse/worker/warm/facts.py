"""What the trial of a study found out about warm starts, kept in the folder warm/ of the run directory.

So it holds for later waves and other elements, until code, environment or command change.
"""

import hashlib
import json
import os

from packhorse.worker.json_files import read_json, write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypedDict  # novermin

    from packhorse.worker.work_file import Work

    class WarmFacts(TypedDict, total=False):
        """What the trial found out: the content of warm/DIGEST.json in the run directory."""

        warm: bool  # whether tasks start warm
        why: str  # why not, as a clause
        key: "list[Any]"  # kind, interpreter with its options, and script that were tried
        language: str  # Python or R
        modules: "list[str]"  # what a warm process loads: modules, or packages and PACKAGE::OBJECT of R
        left_out: "dict[str, str]"  # package -> why no warm process may load it


FOLDER = "warm"  # of the run directory
FORMAT = "packhorse-warm"
VERSION = 1


def facts_file(work: "Work") -> str:
    """Return the path of what is known of warm starts with this code, environment and command."""
    return os.path.join(work["directory"], FOLDER, "%s.json" % _digest(work))


def read_facts(path: str) -> "WarmFacts | None":
    """Return the facts of a file, or None where it is not there or cannot be read."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return None
    known = (
        isinstance(content, dict) and content.get("format") == FORMAT and content.get("version") == VERSION
    )
    facts: "WarmFacts | None" = content if known else None
    return facts


def _digest(work: "Work") -> str:
    names = ("environment", "code", "command", "warm", "cpus", "unset", "environ", "path")
    facts = [work.get(name) for name in names]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8")).hexdigest()[:16]


def write_facts(path: str, facts: "WarmFacts") -> None:
    """Write the facts, for all slots, waves and elements."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_json(path, dict({"format": FORMAT, "version": VERSION}, **facts))
