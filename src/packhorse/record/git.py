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

DIFF_LIMIT = 1_000_000
SECONDS = 30
MAX_NAMES = 1000
NOTHING_TO_COMMIT = re.compile(rb"nothing (added )?to commit|no changes added to commit")
# A git hook or an alias sets these for its own repository, which may not be the study's.
REPOSITORY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
)


def git_state(root: Path) -> dict[str, Any]:
    """Return commit, branch, describe, dirty, diff, untracked and a `summary` line. This never raises.

    `note` gives the reason where facts are missing: no git, no repository, no commit yet, a refusal of git, a cut diff.
    """
    if not any((place / ".git").exists() for place in (root, *root.parents)):
        return {
            "summary": "no git repository",
            "note": "no git repository: the snapshot's digest names the code",
        }
    code, status, errors = _git(root, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all")
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
        _, text, _ = _git(root, "describe", "--tags", "--always", "--dirty")
        facts["describe"] = text.decode("utf-8", "replace").strip()
    if changed and commit is not None:
        facts["diff"], note = _diff(root, changed)
        notes.extend([note] if note else [])
    facts["changed"] = [_printable(name) for name in changed[:MAX_NAMES]]
    facts["untracked"] = [_printable(name) for name in untracked[:MAX_NAMES]]
    facts["summary"] = _summary(commit, branch, changed, untracked)
    if notes:
        facts["note"] = "; ".join(notes)
    return facts


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


def _summary(commit: str | None, branch: str | None, changed: list[str], untracked: list[str]) -> str:
    head = f"commit {commit[:12]}" if commit else "no commit yet"
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
            _argv(root, *arguments),
            env=_environment(),
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
    code, listed, errors = _git(root, "ls-files", "-co", "--exclude-standard", "-z")
    if code != 0:
        raise _refused(errors)
    chosen = b"\0".join(sorted({os.fsencode(path) for path in paths} & set(listed.split(b"\0"))))
    from_list = ("--pathspec-from-file=-", "--pathspec-file-nul")
    for step in (("add", "--all"), ("commit", "--only", "-m", message)) if chosen else ():
        code, output, errors = _git(root, *step, *from_list, given=chosen)
        if code != 0 and not (step[0] == "commit" and NOTHING_TO_COMMIT.search(output)):
            raise _refused(errors or output)
    code, head, errors = _git(root, "rev-parse", "--verify", "HEAD")
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


def _git(root: Path, *arguments: str, given: bytes | None = None) -> tuple[int, bytes, bytes]:
    try:
        done = subprocess.run(
            _argv(root, *arguments),
            env=_environment(),
            input=given or b"",
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, b"", f"git {arguments[0]} took over {SECONDS} s".encode()
    except OSError as error:
        return 127, b"", f"git could not be started: {error.strerror}".encode()
    return done.returncode, done.stdout, done.stderr


def _argv(root: Path, *arguments: str) -> list[str]:
    literal = ["--literal-pathspecs"] if "--pathspec-file-nul" in arguments else []
    return ["git", *literal, "-c", "core.fsmonitor=false", "-C", str(root), *arguments]


def _environment() -> dict[str, str]:
    variables = {name: value for name, value in os.environ.items() if name not in REPOSITORY_VARIABLES}
    return variables | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
    }


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
