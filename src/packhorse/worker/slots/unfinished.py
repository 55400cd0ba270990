"""What a task wrote and printed before it was stopped: kept, although the task has no outcome and runs again."""

import os

from packhorse.worker.slots.reporter import log_text
from packhorse.worker.tasks.artifacts import PARTIAL, artifacts_folder, keep_artifacts
from packhorse.worker.tasks.current import CURRENT
from packhorse.worker.tasks.slot_folders import IMAGE, SlotFolders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from packhorse.worker.journal import Journal
    from packhorse.worker.work_file import Work

STOPPED = "STOPPED"  # in place of an outcome, in the log and in artifacts/INDEX.partial


def take_unfinished(
    work: "Work", folders: "SlotFolders", cause: str, *, late: bool = False
) -> "tuple[dict[str, Any], bytes] | None":
    """Keep the files of the task that a dead slot was running; return (what was kept, its output), or None.

    `late` is long after it died: the task may have run again, and what that has left is not replaced.
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
    image = SlotFolders(os.path.dirname(folders.root), IMAGE, work)
    before = image.state() if work["everything"] else None
    final = artifacts_folder(work, index)
    if not late or not os.path.exists(final) or os.path.exists(final + PARTIAL):
        keep_artifacts(work, folders, record, before)
    log = log_text(index, 1, STOPPED, _printed(folders.stdout), _printed(folders.stderr))
    record["task"] = record.pop("index")  # not `index`, which is the mark of a record
    return (record, log) if log or record.get("artifacts") else None


def write_unfinished(journal: "Journal", event: "dict[str, Any]", log: bytes) -> None:
    """Write what `take_unfinished` returned to a journal and its log."""
    extent = journal.write_log(log) if log else None
    if extent:
        event["log"] = extent
    journal.write_event({"stopped": event})


def _printed(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""
