"""What killed workers have left on a node: files and output of their tasks, brought to their run directory.

A scheduler ends a job with SIGKILL when memory or time is up, and then no worker can save anything. Its private folder
stays, with the working copies of its slots, until another worker starts on the node, or `packhorse collect` sees it.
"""

import json
import os

from packhorse.worker.journal import Journal, journal_header, journal_name
from packhorse.worker.slots.unfinished import take_unfinished, write_unfinished
from packhorse.worker.tasks.slot_folders import SlotFolders
from packhorse.worker.work_file import FACTS, read_work_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from packhorse.worker.work_file import Work

CAUSE = "its worker was killed"


def salvage(folder: str, run: "str | None" = None) -> int:
    """Keep what tasks left in the private folder of a killed worker, of any run or of `run`; return of how many tasks.

    The caller holds the folder's lock. What cannot be read is left out.
    """
    try:
        with open(os.path.join(folder, FACTS)) as stream:
            facts = json.load(stream)
        work_file = facts["work_file"]
        if run is not None and not os.path.samefile(run, _run_of(work_file)):
            return 0
        work, _ = read_work_file(work_file)
        element, restart = int(facts["element"]), int(facts["restart"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0
    events = list(_events(folder, work))
    if events:
        name = journal_name(work["wave"], element, restart)
        journal = Journal(work["directory"], name, journal_header(work, element, restart))
        for event, log in events:
            write_unfinished(journal, event, log)
        journal.close("stopped", {})
    return len(events)


def _run_of(work_file: str) -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(work_file)))


def _events(folder: str, work: "Work") -> "list[tuple[dict[str, Any], bytes]]":
    events = []
    for name in sorted(os.listdir(folder)):
        number = name[len("slot-") :]
        if name.startswith("slot-") and number.isdigit():
            try:
                unfinished = take_unfinished(work, SlotFolders(folder, int(number), work), CAUSE, late=True)
            except (OSError, ValueError):
                continue
            if unfinished is not None:
                events.append(unfinished)
    return events
