"""Changes of folder in a script: to the project itself, by a path that is another one in a task's copy."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable

from packhorse.adopt.job import AdoptedJob
from packhorse.jobscript.lines import Edit
from packhorse.jobscript.shell import Arg


def moved_folders(
    job: AdoptedJob, here: str, root: str, was: str, is_folder: Callable[[str], bool]
) -> tuple[tuple[Edit, ...], list[str]]:
    """Return edits of `cd FOLDER` lines that name the project by an absolute path, and sentences on those that leave it.

    `here` is the folder in which the job starts, `root` that of the project, `was` where it was when the script was written.
    """
    edits, refused = list[Edit](), list[str]()
    current = here
    for command in job.shell.commands:
        if command.name != "cd" or len(command.words) != 2 or command.where.function:
            continue
        word = command.words[1]
        path = _value(job, word)
        home = path == "~" or re.match(r"\"?(~/|\$\{?HOME\b)", word.raw)
        if not home and not path.startswith("/"):
            continue
        if home and was and posixpath.basename(was) in word.raw:
            path = was
        place = _in_project(posixpath.normpath(path), root, was, is_folder)
        if place is None:
            refused.append(f"line {word.line}: cd {word.raw} leaves the task's copy of the project {root}")
            continue
        edits.append(Edit(word.line, word.start, word.end, shlex.quote(posixpath.relpath(place, current))))
        current = place
    return tuple(edits), refused


def _value(job: AdoptedJob, word: Arg) -> str:
    """Return where a folder begins: its text, or that of the variable that it begins with."""
    text = word.literal if word.literal is not None else word.raw.strip('"')
    match = re.match(r"\$\{?(\w+)\}?(.*)", text)
    if match is None:
        return text
    values = [one.value.literal for one in job.shell.assignments if one.name == match[1]]
    return (values[0] or "") + match[2] if len(values) == 1 else ""


def _in_project(path: str, root: str, was: str, is_folder: Callable[[str], bool]) -> str | None:
    """Return the folder of this project that a path names; None if it is not one."""
    for before in filter(None, (root, was and posixpath.normpath(was))):
        if path == before or path.startswith(before + "/"):
            return root + path[len(before) :] if is_folder(root + path[len(before) :]) else None
    # The same project elsewhere: a folder with its name, and below it a folder that exists here, too.
    name = posixpath.basename(root)
    parts = path.split("/")
    if is_folder(path) or name not in parts:
        return None
    inside = "/".join(parts[len(parts) - parts[::-1].index(name) :])
    place = posixpath.normpath(posixpath.join(root, inside))
    return place if is_folder(place) else None
