"""Files that tasks did not find although the project has them, with the line of the study that adds them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from packhorse.execution.preparation import Prepared
from packhorse.project.source import Source
from packhorse.results.failures import group_failures
from packhorse.results.fold import Fold

MOST_CAUSES = 20
# Python, the shell and most programs; R says: cannot open file 'x': No such file or directory.
FILE = re.compile(r"No such file or directory: b?(['\"])(?P<name>.+?)\1")
FILE_BEFORE = re.compile(
    r"(?:^|[\s'\"])(?P<name>[^\s'\":]+)['\"]?: (?:\[Errno 2\] )?No such file or directory"
)
MODULE = re.compile(r"No module named (['\"])(?P<name>[\w.]+)\1")
SLOT = re.compile(r"^.*/slot-\d+/code/[^/]+/")  # a working copy's folder, see worker/tasks/slot_folders.py
SOURCE = {".py", ".r", ".jl", ".sh", ".c", ".h", ".m", ".stan"}


def missing_inputs(fold: Fold, source: Source, prepared: Prepared, cause: str = "") -> Iterator[str]:
    """Yield a sentence for each file that failed tasks did not find and the project has.

    `cause` is why the run ended, such as a function that could not be imported.
    """
    messages = [cause, *(group.message for group in group_failures(fold)[:MOST_CAUSES])]
    yield from dict.fromkeys(line for text in messages for line in _sentences(text, source, prepared))


def _sentences(message: str, source: Source, prepared: Prepared) -> Iterator[str]:
    module = MODULE.search(message)
    if module:
        yield from _module(module["name"], source, prepared)
        return
    match = FILE.search(message) or FILE_BEFORE.search(message)
    if match:
        yield from _file(match["name"], source, prepared)


def _file(name: str, source: Source, prepared: Prepared) -> Iterator[str]:
    path = source.root / SLOT.sub("", name) if SLOT.match(name) else source.start / name
    inside, git = _within(path, source.root), (source.root / ".git").exists()
    if not inside and not posixpath.isabs(name) and path.exists():
        yield _outside(name, path, source)
        return
    if not inside or not (source.root / inside).exists():
        yield from _elsewhere(name, source, prepared)
        return
    if _in_snapshot(inside, prepared):
        return
    shown = posixpath.relpath(inside, source.folder.relative_to(source.root).as_posix())
    yield _remedy(shown, inside, prepared, git=git)


def _elsewhere(name: str, source: Source, prepared: Prepared) -> Iterator[str]:
    """Yield the line of the study with which tasks start where a relative name leads to a file of the snapshot."""
    if posixpath.isabs(name):
        return
    start = source.start.relative_to(source.root)
    # A file that is written needs its folder only.
    wanted = [name, *([posixpath.dirname(name)] if posixpath.dirname(name) else [])]
    paths = {file.path for file in prepared.files}
    bases = {parent.as_posix() for path in paths for parent in Path(path).parents}
    paths |= bases
    for one in wanted:
        fitting = [base for base in bases if posixpath.normpath(posixpath.join(base, one)) in paths]
        fitting = [base for base in fitting if Path(base) != start]
        if fitting:
            # The nearest above where tasks start, as scripts of a subfolder are often started from the root.
            above = [base for base in fitting if start.is_relative_to(base)]
            best = max(above, key=len) if above else min(fitting, key=lambda base: (len(base), base))
            shown = posixpath.relpath(best, source.folder.relative_to(source.root).as_posix())
            found = posixpath.normpath(posixpath.join(best, one))
            yield (
                f"{name} was not found from {start.as_posix()}, where tasks start; the project has {found}. If the command"
                f" is started elsewhere by hand, add to the study, and write the paths in `command` from there:\n"
                f"  directory: {shown}"
            )
            return


def _module(name: str, source: Source, prepared: Prepared) -> Iterator[str]:
    stem = name.split(".", maxsplit=1)[0]
    for base in dict.fromkeys((source.folder, source.root, source.root / "src")):
        for path in (base / f"{stem}.py", base / stem):
            inside = _within(path, source.root)
            if path.exists() and inside and not _in_snapshot(inside, prepared):
                shown = posixpath.relpath(inside, source.folder.relative_to(source.root).as_posix())
                yield _remedy(shown, inside, prepared, git=(source.root / ".git").exists(), code=True)
                return
    for file in prepared.files:
        if file.path.endswith((f"/{stem}.py", f"/{stem}/__init__.py")):
            folder = posixpath.dirname(file.path.removesuffix("/__init__.py"))
            shown = posixpath.relpath(folder, source.folder.relative_to(source.root).as_posix())
            line = f"env: {{PYTHONPATH: {shown}}}"
            yield f"{file.path} is in the snapshot, but not on the import path; add to the study:\n  {line}"
            return


def _remedy(shown: str, inside: str, prepared: Prepared, *, git: bool, code: bool = False) -> str:
    left_out = dict(prepared.left_out)
    places = [inside, *map(str, Path(inside).parents)]  # a link to a folder is left out as a whole
    ignored = (
        "git ignores it, or `code:` excludes it" if git else "`code:` excludes it, or its folder is hidden"
    )
    why = next((left_out[place] for place in places if place in left_out), ignored)
    missing = f"{shown} is in the project but not in the snapshot ({why})"
    if code or Path(shown).suffix.lower() in SOURCE:
        return f"{missing}; add to the study:\n  include: [{shown}]"
    return f"{missing}; if tasks only read it, add to the study:\n  data: [{shown}]"


def _outside(name: str, path: Path, source: Source) -> str:
    """Return what to do about a file that exists beside the project, whose root is a repository or the study's folder."""
    normal = posixpath.normpath(path.as_posix())
    folder = posixpath.relpath(posixpath.dirname(normal) if path.is_file() else normal, source.folder)
    return (
        f"{name} is outside of the project {source.root}, so tasks do not have it; if they only read it, add to the study:\n"
        f"  data: [{folder}]"
    )


def _within(path: Path, root: Path) -> str:
    """Return a path relative to the root; empty where it is outside."""
    normal = posixpath.normpath(path.as_posix())
    return posixpath.relpath(normal, root) if Path(normal).is_relative_to(root) else ""


def _in_snapshot(inside: str, prepared: Prepared) -> bool:
    return any(file.path == inside or file.path.startswith(inside + "/") for file in prepared.files)
