"""Artifacts: files that a task wrote, moved to the run directory, all of them or none."""

import glob
import json
import os
import re
import shutil

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.work_file import Work

MOST_PATTERNS = 3
PARTIAL = (
    ".partial"  # ending of the file that marks the folder beside it as that of a task that did not end OK
)


def artifacts_folder(work: "Work", index: int) -> str:
    """Return the folder that holds the artifacts of a task.

    The prefix keeps tasks apart whose index was that of another task before the study grew.
    """
    return os.path.join(work["directory"], "artifacts", work.get("prefix", "") + str(index))


def matches(folder: str, patterns: "Iterable[str]") -> "set[str]":
    """Return the paths in a folder that match one of the glob patterns."""
    paths: "set[str]" = set()
    for pattern in patterns:
        found = glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True)
        paths.update(map(os.path.normpath, found))
    return paths


def keep_artifacts(
    work: "Work",
    folders: "SlotFolders",
    record: "dict[str, Any]",
    before: "Mapping[str, tuple[int, int]] | None" = None,
) -> None:
    """Move a task's files to artifacts/INDEX, and put their number into its record.

    `before` is the state of the working copy at its start: if given, every new or changed file is kept.
    Files of a task that did not end OK are marked: artifacts/INDEX.partial holds why. If they cannot be kept,
    OSError is raised for a task that ended OK, and the cause of another one says so.
    """
    if before is None and not work["artifacts"]:
        return
    complete = record.get("outcome", "OK") == "OK"
    final = artifacts_folder(work, record["index"])
    private = "%s.%d" % (final, os.getpid())
    try:
        paths = _written(work, folders, before)
        for path in paths:
            parts = os.path.relpath(path, folders.study).split(os.sep)
            goal = os.path.join(private, *["up" if part == os.pardir else part for part in parts])
            os.makedirs(os.path.dirname(goal), exist_ok=True)
            shutil.move(path, goal)
        if paths or (complete and os.path.exists(final)):
            _put(private, final, record)
    except OSError as error:
        shutil.rmtree(private, ignore_errors=True)
        if complete:
            raise
        record["cause"] = "%s; cannot keep its artifacts: %s" % (record.get("cause", ""), error)
        return
    if paths:
        record["artifacts"] = len(paths)
        if not complete:
            record["partial"] = True


def _written(
    work: "Work", folders: "SlotFolders", before: "Mapping[str, tuple[int, int]] | None"
) -> "list[str]":
    """Return the files to keep."""
    if before is None:
        found = _files(matches(folders.study, work["artifacts"]))
        return [path for path in found if not folders.is_original(path)]
    state = folders.state()
    return [os.path.join(folders.study, name) for name in sorted(state) if state[name] != before.get(name)]


def _put(private: str, final: str, record: "dict[str, Any]") -> None:
    """Put a task's files in the place of those of an earlier attempt; at no moment is a partial file unmarked."""
    complete = record.get("outcome", "OK") == "OK"
    if not complete:
        names = ("outcome", "cause", "attempt")
        facts = {name: record[name] for name in names if name in record}
        with open(private + PARTIAL, "w") as stream:
            stream.write(json.dumps(facts) + "\n")
        os.rename(private + PARTIAL, final + PARTIAL)
    shutil.rmtree(final, ignore_errors=True)
    if os.path.exists(private):
        os.rename(private, final)
    if complete and os.path.exists(final + PARTIAL):
        os.unlink(final + PARTIAL)


def _files(paths: "Iterable[str]") -> "list[str]":
    """Return the paths, with each folder replaced by the files below it."""
    files: "set[str]" = set()
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            files.update(os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names)
        else:
            files.add(path)
    return sorted(files)


def name_patterns(names: "Sequence[str]", values: "Sequence[str]") -> "list[str]":
    """Return glob patterns for the files that tasks write in place of those of one task: `results/sim-*.rds`.

    Numbers in names, and the values of parameters, may be others in other tasks. Many files in one folder are the folder.
    """
    found = list(dict.fromkeys(_pattern(name, values) for name in names))
    if len(found) > MOST_PATTERNS:
        folders = {pattern.partition("/")[0] for pattern in found if "/" in pattern}
        if len(folders) == 1 and all("/" in pattern for pattern in found):
            return list(folders)
    return found[:MOST_PATTERNS]


def _pattern(name: str, values: "Sequence[str]") -> str:
    return "/".join(_part_pattern(part, values) for part in name.split("/"))


def _part_pattern(part: str, values: "Sequence[str]") -> str:
    stem, dot, suffix = part.rpartition(".") if "." in part[1:] else (part, "", "")
    for value in sorted(values, key=len, reverse=True):
        if len(value) > 1 and not value.isdigit() and value in stem:
            stem = stem.replace(value, "*")
    stem = re.sub(r"[0-9]+([.][0-9]+)?", "*", stem)
    return re.sub(r"\*([-_.:T]?\*)+", "*", stem) + dot + suffix  # also a date and a time
