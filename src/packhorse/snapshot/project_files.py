"""The files of a project: those that git lists, or all files below the study without git."""

from __future__ import annotations

import json
import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from packhorse.model.errors import SnapshotError
from packhorse.snapshot.git_command import run_git

MAX_FILES = 100_000
SKIPPED = {"__pycache__", "node_modules", "runs", "venv"}


def find_root(folder: Path) -> Path:
    """Return the top of the git work tree that `folder` belongs to, else the folder itself."""
    folder = folder.resolve()
    output = _git(folder, "rev-parse", "--show-toplevel")
    if not output:
        return folder
    root = Path(os.fsdecode(output.removesuffix(b"\n"))).resolve()
    if root == folder:
        return folder
    # A home under git holds dotfiles, and a folder that git ignores does not belong to its project.
    if root == Path.home().resolve() or _git(root, "check-ignore", "-q", "--", str(folder)) is not None:
        return folder
    return root


def project_paths(root: Path, folder: str, code: tuple[str, ...]) -> set[str]:
    """Return the project's paths relative to `root`; `folder` is the study's folder, also relative to `root`."""
    listed = _git_paths(root, posixpath.join(folder, "runs")) if (root / ".git").exists() else None
    if listed is not None:
        return listed
    starts = {within(folder, _fixed_part(pattern)) for pattern in code} or {"."}
    return {path for start in starts for path in walk(root, start)}


def within(folder: str, pattern: str) -> str:
    """Return a pattern of the study relative to the root; raise SnapshotError if it leaves the project."""
    joined = posixpath.normpath(posixpath.join(folder, pattern))
    if joined == ".." or joined.startswith(("../", "/")):
        raise SnapshotError(
            f"{pattern} is outside the project, so it cannot be part of the snapshot",
            f"copy it into the project, or name it as data:\n  data: [{json.dumps(pattern)}]",
        )
    return joined


def matcher(pattern: str) -> re.Pattern[str]:
    """Return an expression that matches a path and everything below it, or a glob in which ** crosses folders."""
    if pattern == ".":
        return re.compile(r"(?s:.*)")
    text, position = "", 0
    while position < len(pattern):
        token, position = _glob_token(pattern, position)
        text += token
    return re.compile(rf"(?s:{text})(?:/(?s:.*))?\Z")


def _glob_token(pattern: str, position: int) -> tuple[str, int]:
    if pattern.startswith("**/", position):
        return "(?:.*/)?", position + 3
    if pattern.startswith("**", position):
        return ".*", position + 2
    character = pattern[position]
    if character in "*?":
        return "[^/]*" if character == "*" else "[^/]", position + 1
    end = pattern.find("]", position + 2)
    if character == "[" and end > 0:
        inside = pattern[position + 1 : end].replace("\\", "\\\\")
        return "[" + ("^" + inside[1:] if inside[0] == "!" else inside) + "]", end + 1
    return re.escape(character), position + 1


def _fixed_part(pattern: str) -> str:
    parts = []
    for part in pattern.split("/"):
        if re.search(r"[*?\[]", part):
            break
        parts.append(part)
    return "/".join(parts) or "."


def walk(root: Path, start: str = ".", *, everything: bool = False) -> Iterator[str]:
    """Yield the files and links below `start`; `everything` also enters hidden folders and virtual environments."""
    place = root / start
    if place.is_symlink() or not place.is_dir():
        if place.is_symlink() or place.exists():
            yield start
        return
    count = 0
    for top, folders, names in os.walk(place):
        relative = os.path.relpath(top, root)
        base = "" if relative == "." else relative + "/"
        yield from (base + name for name in folders if Path(top, name).is_symlink())
        folders[:] = [name for name in folders if everything or not _is_skipped(Path(top, name))]
        yield from (base + name for name in names)
        count += len(names)
        if count > MAX_FILES:
            raise SnapshotError(
                f"{root} has more than {MAX_FILES:,} files, too many for a snapshot",
                "name those that are code:\n  code: [sim.py, src]\nor create a git repository: git init",
            )


def _is_skipped(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in SKIPPED:
        return True
    return (folder / "pyvenv.cfg").exists() or is_run(folder)


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run directory of Packhorse."""
    try:
        with (folder / "run.json").open("rb") as stream:
            head = json.loads(stream.read(65536))
    except (OSError, ValueError):
        return False
    return isinstance(head, dict) and str(head.get("format", "")).startswith("packhorse-run")


def _git_paths(root: Path, runs: str) -> set[str] | None:
    # `--exclude` applies to untracked files only: files that are committed under runs/ belong to the project.
    pattern = "/" + re.sub(r"([\\*?\[\]! #])", r"\\\1", posixpath.normpath(runs))
    listing = _git(root, "ls-files", "-co", "--exclude-standard", f"--exclude={pattern}", "-z")
    if listing is None:
        return None
    paths = {os.fsdecode(name) for name in listing.split(b"\0") if name}
    return set(_with_inner_repositories(root, paths))


def _with_inner_repositories(root: Path, paths: Iterable[str]) -> Iterator[str]:
    # git lists a submodule, or a repository cloned into the project, as one entry that is a folder.
    for path in paths:
        place = root / path
        if place.is_symlink() or not place.is_dir():
            yield path
        elif (place / ".git").exists():
            inner = path.rstrip("/")
            yield from (f"{inner}/{name}" for name in _git_paths(place, "runs") or ())


def _git(folder: Path, *arguments: str) -> bytes | None:
    """Return git's output, or None where it fails."""
    status, output, _ = run_git(folder, *arguments)
    return output if status == 0 else None
