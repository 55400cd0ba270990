"""Commit study and code before a run."""

from __future__ import annotations

from packhorse.project.source import Source
from packhorse.record.git import commit_all, git_state
from packhorse.snapshot.snapshot import list_files


def commit_project(source: Source, message: str) -> str:
    """Commit the files of the snapshot and the study file, and nothing else; return a sentence for the user."""
    study, folder, root = source.study, source.folder, source.root
    barred = [folder / "runs", *(folder / name for name in study.data)]
    listing = list_files(root, folder, code=study.code, include=study.include, exclude=barred)
    paths = {file.path for file in listing.files}
    if source.path and source.path.is_relative_to(root):
        paths.add(source.path.relative_to(root).as_posix())
    before = git_state(root).get("commit")
    name = commit_all(root, message, paths)
    if name == before:
        return f"nothing to commit: {name[:12]} contains the study and its code"
    return f"committed {name[:12]}: {message}"
