"""Run git in a folder: without the variables of another repository, without locks, prompts and editors."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

SECONDS = 60
# A git hook or an alias sets these for its own repository, which may not be the study's.
REPOSITORY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
)


def run_git(folder: Path, *arguments: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
    """Return git's exit status, output and errors; `given` is its input. This never raises.

    The status is 124 where git takes longer than SECONDS, and 127 where it cannot be started.
    """
    try:
        done = subprocess.run(
            git_argv(folder, *arguments),
            env=git_environment(),
            input=given,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 124, b"", f"git {arguments[0]} took over {SECONDS} s".encode()
    except OSError as error:
        return 127, b"", f"git could not be started: {error.strerror}".encode()
    return done.returncode, done.stdout, done.stderr


def git_argv(folder: Path, *arguments: str) -> list[str]:
    """Return the argv of a git command; paths of a list are literal, and no program of the repository is started."""
    literal = ["--literal-pathspecs"] if "--pathspec-file-nul" in arguments else []
    return ["git", *literal, "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]


def git_environment() -> dict[str, str]:
    """Return the variables that git starts with."""
    variables = {name: value for name, value in os.environ.items() if name not in REPOSITORY_VARIABLES}
    return variables | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
    }
