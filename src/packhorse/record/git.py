"""The state of the code in git: commit, branch and uncommitted changes; and commits of its files."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packhorse.model.errors import SnapshotError
from packhorse.model.secrets import is_secret_file
from packhorse.snapshot.git_command import SECONDS, git_argv, git_environment, run_git

DIFF_LIMIT = 1_000_000
MAX_NAMES = 1000
NOTHING_TO_COMMIT = re.compile(rb"nothing (added )?to commit|no changes added to commit")


def git_state(root: Path) -> dict[str, Any]:
    """Return commit, branch, describe, dirty, diff, untracked and a `summary` line. This never raises.

    `note` gives the reason where facts are missing: no git, no repository, no commit yet, a refusal of git, a cut diff.
    """
    if not any((place / ".git").exists() for place in (root, *root.parents)):
        return {
            "summary": "no git repository",
            "note": "no git repository: the snapshot's digest names the code",
        }
    code, status, errors = run_git(
        root, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"
    )
    if code != 0:
        reason = _reason(errors)
        return {"summary": f"git failed: {reason}", "note": reason}
    return _describe(root, *_parse_status(status))


def _describe(root: Path, head: dict[str, str], changed: list[str], untracked: list[str]) -> dict[str, Any]:
    commit = None if head.get("branch.oid", "(initial)") == "(initial)" else head["branch.oid"]
    branch = None if head.get("branch.head") == "(detached)" else head.get("branch.head")
    facts: dict[str, Any] = {"commit": commit, "branch": branch, "dirty": bool(changed or untracked)}
    notes = []
    if commit is None:
        notes.append("the repository has no commit yet")
    else:
        _, text, _ = run_git(root, "describe", "--tags", "--always", "--dirty")
        facts["describe"] = text.decode("utf-8", "replace").strip()
    if changed and commit is not None:
        facts["diff"], note = _diff(root, changed)
        notes.extend([note] if note else [])
    facts["changed"] = [_printable(name) for name in changed[:MAX_NAMES]]
    facts["untracked"] = [_printable(name) for name in untracked[:MAX_NAMES]]
    tag = _tag(facts.get("describe", ""), commit)
    named = f"{commit[:12]}{f' ({tag})' if tag else ''}" if commit else ""
    facts["summary"] = _summary(named, branch, changed, untracked)
    if notes:
        facts["note"] = "; ".join(notes)
    return facts


def _tag(describe: str, commit: str | None) -> str:
    """Return the tag that `git describe` found, with the commits since; empty where it found only the commit."""
    named = describe.removesuffix("-dirty")
    return "" if commit is None or commit.startswith(named) else named


def _parse_status(status: bytes) -> tuple[dict[str, str], list[str], list[str]]:
    """Return headers, changed and untracked paths of `git status --porcelain=v2 --branch -z`."""
    head: dict[str, str] = {}
    changed: list[str] = []
    untracked: list[str] = []
    fields = iter(status.split(b"\0"))
    for field in fields:
        kind = field[:2]
        if kind == b"# ":
            name, _, value = field[2:].decode("utf-8", "replace").partition(" ")
            head[name] = value
        elif kind == b"? ":
            untracked.append(os.fsdecode(field[2:]))
        elif kind in {b"1 ", b"2 ", b"u "}:
            # git-status(1), Porcelain Format Version 2: the path is field 9, 10 or 11.
            changed.append(os.fsdecode(field.split(b" ", {b"1 ": 8, b"2 ": 9, b"u ": 10}[kind])[-1]))
            if kind == b"2 ":
                changed.append(os.fsdecode(next(fields, b"")))
    return head, changed, untracked


def _summary(commit: str, branch: str | None, changed: list[str], untracked: list[str]) -> str:
    head = f"commit {commit}" if commit else "no commit yet"
    head += f" on {branch}" if branch else ", detached"
    if not changed and not untracked:
        return f"{head}, nothing uncommitted"
    counts = [
        f"{len(names)} {what} ({', '.join(_printable(name) for name in names[:3])}{', ...' if names[3:] else ''})"
        for names, what in ((changed, "changed"), (untracked, "untracked"))
        if names
    ]
    return f"{head}, uncommitted: {' and '.join(counts)}"


def _diff(root: Path, changed: list[str]) -> tuple[str, str]:
    """Return at most DIFF_LIMIT bytes of the diff against the last commit, and a note on what is left out."""
    secret = [name for name in changed if is_secret_file(name)]
    excluded = [f":(top,exclude,literal){name}" for name in secret]
    argv = [
        "diff",
        "HEAD",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--binary",
        "--",
        ":(top)",
        *excluded,
    ]
    text, complete = _first_bytes(root, argv, DIFF_LIMIT)
    notes = [] if complete else [f"the diff is cut at {DIFF_LIMIT:,} bytes"]
    if secret:
        notes.append(f"left out of the diff as secrets: {', '.join(_printable(name) for name in secret)}")
    return text.decode("utf-8", "replace"), "; ".join(notes)


def _first_bytes(root: Path, arguments: list[str], limit: int) -> tuple[bytes, bool]:
    """Return the first `limit` bytes of git's output, and whether that is all; kill git once it prints more."""
    try:
        process = subprocess.Popen(
            git_argv(root, *arguments),
            env=git_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return b"", False
    timer = threading.Timer(SECONDS, process.kill)
    timer.start()
    try:
        with process:
            assert process.stdout is not None
            text = process.stdout.read(limit + 1)
            if len(text) > limit:
                process.kill()
    finally:
        timer.cancel()
    return text[:limit], len(text) <= limit and process.returncode == 0


def commit_all(root: Path, message: str, paths: Iterable[str]) -> str:
    """Commit these paths (relative to `root`) and no others; return the commit's hash.

    Skip ignored paths, commit deletions of deleted ones, and return the last commit where there is nothing to commit.
    Raise SnapshotError with git's message where git refuses.
    """
    code, listed, errors = run_git(root, "ls-files", "-co", "--exclude-standard", "-z")
    if code != 0:
        raise _refused(errors)
    chosen = b"\0".join(sorted({os.fsencode(path) for path in paths} & set(listed.split(b"\0"))))
    from_list = ("--pathspec-from-file=-", "--pathspec-file-nul")
    for step in (("add", "--all"), ("commit", "--only", "-m", message)) if chosen else ():
        code, output, errors = run_git(root, *step, *from_list, given=chosen)
        if code != 0 and not (step[0] == "commit" and NOTHING_TO_COMMIT.search(output)):
            raise _refused(errors or output)
    code, head, errors = run_git(root, "rev-parse", "--verify", "HEAD")
    if code != 0:
        raise _refused(errors)
    return head.decode("ascii").strip()


def _refused(errors: bytes) -> SnapshotError:
    if b"user.email" in errors or b"tell me who you are" in errors:
        hint = 'git config --global user.name "Your Name" && git config --global user.email you@example.org'
        return SnapshotError("git has no author name and email", hint)
    message = f"git commit failed: {_reason(errors)}"
    return SnapshotError(message, "commit by hand, and run again without --commit")


def _reason(errors: bytes) -> str:
    lines = [line for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    if any("dubious ownership" in line for line in lines):
        return "the repository belongs to another user (to allow it: git config --global --add safe.directory FOLDER)"
    return lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else "no reason given"


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
