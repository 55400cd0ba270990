"""What a task wrote and printed before it was stopped: kept, although the task has no outcome and runs again."""

import os

from packhorse.worker.slots.current import CURRENT
from packhorse.worker.slots.reporter import log_text
from packhorse.worker.tasks.artifacts import keep_artifacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import Work

STOPPED = "STOPPED"  # stands for an outcome in the log and in artifacts/INDEX.partial


def take_unfinished(
    work: "Work", folders: "SlotFolders", unpacked: str, cause: str
) -> "tuple[dict[str, Any], bytes] | None":
    """Keep the files of the task that a dead slot was running; return (what was kept, its output), or None.

    `unpacked` is the folder with the unpacked snapshot of the slot's working copy.
    """
    try:
        with open(folders.current, "rb") as stream:
            current = stream.read(CURRENT.size)
    except OSError:
        return None
    index = CURRENT.unpack(current)[0] - 1 if len(current) == CURRENT.size else -1
    if index < 0:
        return None
    record: "dict[str, Any]" = {"index": index, "outcome": STOPPED, "cause": cause}
    before = _state(unpacked, folders) if work["everything"] else None
    keep_artifacts(work, folders, record, before)
    log = log_text(index, 1, STOPPED, _printed(folders.stdout), _printed(folders.stderr))
    record["task"] = record.pop("index")  # it is no record of an attempt, and not taken for one
    return (record, log) if log or record.get("artifacts") else None


def _state(unpacked: str, folders: "SlotFolders") -> "dict[str, tuple[int, int]]":
    """Return the state of a working copy before its first task, from the snapshot that it was copied from."""
    state = {}
    for folder, _, names in os.walk(unpacked):
        for name in names:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                stats = os.stat(path)
                place = os.path.join(folders.code, os.path.relpath(path, unpacked))
                state[os.path.relpath(place, folders.study)] = (stats.st_size, stats.st_mtime_ns)
    return state


def _printed(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""
