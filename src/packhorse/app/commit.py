"""Committing study and code before a run."""

from __future__ import annotations

from packhorse.app.source import Source


def commit_project(source: Source, message: str) -> str:
    """Commit everything of the study's folder; return a sentence."""
    from packhorse.record.git import commit_all

    name = commit_all(source.root, message, [str(source.folder.relative_to(source.root))])
    return f"committed {name[:12]}: {message}"
