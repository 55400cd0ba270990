"""What git says about the code: commit, branch, and what is uncommitted."""

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
MOST_NAMES = 1000
NOTHING = re.compile(rb"nothing (added )?to commit|no changes added to commit")
# A git hook or an alias sets these for its own repository, which need not be the study's.
FOREIGN = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
)


def git_state(root: Path) -> dict[str, Any]:
    """Return commit, branch, describe, dirty, diff, untracked and one `summary` line; never raises.

    `note` says why there is less: no git, no repository, no commit yet, git refuses, or the diff is cut.
    """
    if not any((place / ".git").exists() for place in (root, *root.parents)):
        return {
            "summary": "no git repository",
            "note": "no git repository: the snapshot's digest names the code",
        }
    code, said, trouble = _git(root, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all")
    if code != 0:
        why = _reason(trouble)
        return {"summary": f"git could not be asked: {why}", "note": why}
    return _described(root, *_parsed(said))


def _described(root: Path, head: dict[str, str], changed: list[str], untracked: list[str]) -> dict[str, Any]:
    commit = None if head.get("branch.oid", "(initial)") == "(initial)" else head["branch.oid"]
    branch = None if head.get("branch.head") == "(detached)" else head.get("branch.head")
    found: dict[str, Any] = {"commit": commit, "branch": branch, "dirty": bool(changed or untracked)}
    notes = []
    if commit is None:
        notes.append("the repository has no commit yet")
    else:
        found["describe"] = (
            _git(root, "describe", "--tags", "--always", "--dirty")[1].decode("utf-8", "replace").strip()
        )
    if changed and commit is not None:
        found["diff"], cut = _diff(root, changed)
        notes.extend([cut] if cut else [])
    found["changed"] = [_printable(name) for name in changed[:MOST_NAMES]]
    found["untracked"] = [_printable(name) for name in untracked[:MOST_NAMES]]
    found["summary"] = _summary(commit, branch, changed, untracked)
    if notes:
        found["note"] = "; ".join(notes)
    return found


def _parsed(status: bytes) -> tuple[dict[str, str], list[str], list[str]]:
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
    place = f"commit {commit[:12]}" if commit else "no commit yet"
    place += f" on {branch}" if branch else ", detached"
    if not changed and not untracked:
        return f"{place}, nothing uncommitted"
    counts = [
        f"{len(names)} {what} ({', '.join(_printable(name) for name in names[:3])}{', ...' if names[3:] else ''})"
        for names, what in ((changed, "changed"), (untracked, "untracked"))
        if names
    ]
    return f"{place}, uncommitted: {' and '.join(counts)}"


def _diff(root: Path, changed: list[str]) -> tuple[str, str]:
    """Return the diff against the last commit, at most DIFF_LIMIT bytes of it, and a note where it is less."""
    secret = [name for name in changed if is_secret_file(name)]
    barred = [f":(top,exclude,literal){name}" for name in secret]
    argv = [
        "diff",
        "HEAD",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--binary",
        "--",
        ":(top)",
        *barred,
    ]
    text, whole = _head_of(root, argv, DIFF_LIMIT)
    notes = [] if whole else [f"the diff is cut at {DIFF_LIMIT:,} bytes"]
    if secret:
        notes.append(f"left out of the diff as secret: {', '.join(_printable(name) for name in secret)}")
    return text.decode("utf-8", "replace"), "; ".join(notes)


def _head_of(root: Path, arguments: list[str], limit: int) -> tuple[bytes, bool]:
    """Return the first bytes that git prints and whether that is all; git is ended once there is more."""
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
    clock = threading.Timer(SECONDS, process.kill)
    clock.start()
    try:
        with process:
            assert process.stdout is not None
            text = process.stdout.read(limit + 1)
            if len(text) > limit:
                process.kill()
    finally:
        clock.cancel()
    return text[:limit], len(text) <= limit and process.returncode == 0


def commit_all(root: Path, message: str, paths: Iterable[str]) -> str:
    """Commit these paths (relative to `root`) and nothing else; return the commit's name.

    Ignored paths are passed over, deleted ones are committed as such, and with nothing to commit the last
    commit is returned. Raises SnapshotError with git's own words where git refuses.
    """
    code, listed, trouble = _git(root, "ls-files", "-co", "--exclude-standard", "-z")
    if code != 0:
        raise _refused(trouble)
    chosen = b"\0".join(sorted({os.fsencode(path) for path in paths} & set(listed.split(b"\0"))))
    from_list = ("--pathspec-from-file=-", "--pathspec-file-nul")
    for step in (("add", "--all"), ("commit", "--only", "-m", message)) if chosen else ():
        code, said, trouble = _git(root, *step, *from_list, given=chosen)
        if code != 0 and not (step[0] == "commit" and NOTHING.search(said)):
            raise _refused(trouble or said)
    code, head, trouble = _git(root, "rev-parse", "--verify", "HEAD")
    if code != 0:
        raise _refused(trouble)
    return head.decode("ascii").strip()


def _refused(trouble: bytes) -> SnapshotError:
    why = _reason(trouble)
    if b"user.email" in trouble or b"tell me who you are" in trouble:
        hint = 'git config --global user.name "Your Name" && git config --global user.email you@example.org'
        return SnapshotError("git does not know who commits", hint)
    return SnapshotError(f"git did not commit: {why}", "commit by hand, and run again without --commit")


def _reason(trouble: bytes) -> str:
    lines = [line for line in trouble.decode("utf-8", "replace").splitlines() if line.strip()]
    if any("dubious ownership" in line for line in lines):
        return "git refuses: the repository belongs to another user (git config safe.directory lifts this)"
    return lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else "git gave no reason"


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
    except OSError as trouble:
        return 127, b"", f"git does not start: {trouble.strerror}".encode()
    return done.returncode, done.stdout, done.stderr


def _argv(root: Path, *arguments: str) -> list[str]:
    literal = ["--literal-pathspecs"] if "--pathspec-file-nul" in arguments else []
    return ["git", *literal, "-c", "core.fsmonitor=false", "-C", str(root), *arguments]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_EDITOR": "true"}


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
