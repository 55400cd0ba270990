"""Checkpoints: a folder of the run directory for each task, so that another worker goes on from it."""

import hashlib
import json
import os
import shutil

MARK = ".task"  # whose checkpoint it is


def prepare(task):
    """Make a task's folder; what another code, seed or parameters left there is removed."""
    folder = task.checkpoint
    os.makedirs(folder, exist_ok=True)
    whose = _whose(task)
    path = os.path.join(folder, MARK)
    try:
        with open(path) as stream:
            if stream.read() == whose:
                return
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder, exist_ok=True)
    except FileNotFoundError:
        pass
    with open(path, "w") as stream:
        stream.write(whose)


def _whose(task):
    said = [task.work["code"], task.seed, task.replicate, task.parameters]
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode("utf-8"), digest_size=16).hexdigest()


def newest(folder):
    """Return when a task last wrote to its folder, in Unix seconds, or 0.0 where it never did."""
    found = 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            if name != MARK:
                found = max(found, os.stat(os.path.join(place, name)).st_mtime)
    return found
