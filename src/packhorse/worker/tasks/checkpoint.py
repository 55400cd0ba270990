"""Checkpoints: a folder of the run directory for each task, from which another worker can continue the task."""

import hashlib
import json
import os
import shutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from packhorse.worker.tasks.task import Task

MARK = ".task"  # file with the identity of the task that the checkpoint belongs to


def prepare_checkpoint(task: "Task") -> None:
    """Make a task's checkpoint folder; remove what a task with other code, seed or parameters left there."""
    folder = task.checkpoint
    assert folder is not None
    os.makedirs(folder, exist_ok=True)
    identity = _identity(task)
    path = os.path.join(folder, MARK)
    try:
        with open(path) as stream:
            if stream.read() == identity:
                return
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder, exist_ok=True)
    except FileNotFoundError:
        pass
    with open(path, "w") as stream:
        stream.write(identity)


def _identity(task: "Task") -> str:
    parts = [task.work["code"], task.seed, task.replicate, task.parameters]
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode("utf-8"), digest_size=16).hexdigest()


def last_saved(folder: str) -> float:
    """Return the Unix time in seconds at which a task last wrote to its folder, or 0.0 if it never did."""
    latest = 0.0
    for parent, _, names in os.walk(folder):
        for name in names:
            if name != MARK:
                latest = max(latest, os.stat(os.path.join(parent, name)).st_mtime)
    return latest
