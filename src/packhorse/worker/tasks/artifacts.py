"""Keeping files that a task wrote: moved into the run directory, whole or not at all."""

import glob
import os
import shutil


def matches(folder, patterns):
    """Return what patterns name in a folder."""
    found = set()
    for pattern in patterns:
        found.update(glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True))
    return found


def remove(path):
    """Remove a file or a folder, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


def clear_artifacts(work, place):
    """Before a task, remove what an earlier one left at the places of artifacts."""
    if work["artifacts"]:
        for path in matches(place.folder, work["artifacts"]):
            remove(path)


def keep_artifacts(work, place, index, before=None):
    """Move a task's files to artifacts/INDEX; return how many there were.

    `before` is the state of the working copy at its start: with it, everything new or changed is kept.
    """
    if before is not None:
        state = place.state()
        paths = [
            os.path.join(place.folder, name) for name in sorted(state) if state[name] != before.get(name)
        ]
    elif work["artifacts"]:
        paths = _files(matches(place.folder, work["artifacts"]))
    else:
        return 0
    final = os.path.join(work["directory"], "artifacts", str(index))
    private = "%s.%d" % (final, os.getpid())
    for path in paths:
        goal = os.path.join(private, os.path.relpath(path, place.folder).replace("..", "up"))
        os.makedirs(os.path.dirname(goal), exist_ok=True)
        shutil.move(path, goal)
    if paths:
        shutil.rmtree(final, ignore_errors=True)
        os.rename(private, final)
    return len(paths)


def _files(found):
    files = set()
    for path in found:
        if os.path.isdir(path) and not os.path.islink(path):
            files.update(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        else:
            files.add(path)
    return sorted(files)
