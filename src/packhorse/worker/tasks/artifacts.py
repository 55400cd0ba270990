"""Artifacts: files that a task wrote, moved to the run directory, all of them or none."""

import glob
import os
import shutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import Work


def matches(folder: str, patterns: "Iterable[str]") -> "set[str]":
    """Return the paths in a folder that match one of the glob patterns."""
    paths: "set[str]" = set()
    for pattern in patterns:
        found = glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True)
        paths.update(map(os.path.normpath, found))
    return paths


def keep_artifacts(
    work: "Work", folders: "SlotFolders", index: int, before: "Mapping[str, tuple[int, int]] | None" = None
) -> int:
    """Move a task's files to artifacts/INDEX; return how many there were.

    `before` is the state of the working copy at its start: if given, every new or changed file is kept.
    """
    if before is not None:
        state = folders.state()
        paths = [
            os.path.join(folders.study, name) for name in sorted(state) if state[name] != before.get(name)
        ]
    elif work["artifacts"]:
        found = _files(matches(folders.study, work["artifacts"]))
        paths = [path for path in found if not folders.is_original(path)]
    else:
        return 0
    final = os.path.join(work["directory"], "artifacts", str(index))
    private = "%s.%d" % (final, os.getpid())
    for path in paths:
        parts = os.path.relpath(path, folders.study).split(os.sep)
        goal = os.path.join(private, *["up" if part == os.pardir else part for part in parts])
        os.makedirs(os.path.dirname(goal), exist_ok=True)
        shutil.move(path, goal)
    if paths:
        shutil.rmtree(final, ignore_errors=True)
        os.rename(private, final)
    return len(paths)


def _files(paths: "Iterable[str]") -> "list[str]":
    """Return the paths, with each folder replaced by the files below it."""
    files: "set[str]" = set()
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            files.update(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        else:
            files.add(path)
    return sorted(files)
