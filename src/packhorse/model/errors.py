"""Everything Packhorse says when it refuses.

PackhorseError            exit 1   what went wrong, and the next command to type
├── UsageError            exit 2   the command line asks for something that is not there
├── StudyError            exit 3   the study file is wrong; knows file, line and column
├── SnapshotError         exit 4   the code cannot be carried as it is
├── RunError              exit 5   the run directory does not allow this now
│   └── Unreachable       exit 5   a site cannot be asked now
├── CheckError            exit 6   a check of the study failed, so no task was started
├── TasksFailed           exit 7   the run ended, and some tasks have no result
├── TableError            exit 8   the table was written, but a column holds a clash of types
└── Stopped               exit 130 the user stopped it; the same command continues
"""

from __future__ import annotations


class PackhorseError(Exception):
    """Anything that is told to the user instead of a traceback."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # shown under the message where Python prints the error


class UsageError(PackhorseError):
    """The command line names something that does not exist."""

    exit_code = 2


class StudyError(PackhorseError):
    """A study is wrong; `where` reads file:line:column."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint)
        self.where = where


class SnapshotError(PackhorseError):
    """The code cannot be packed as it stands."""

    exit_code = 4


class RunError(PackhorseError):
    """A run directory is locked, changed, foreign or absent."""

    exit_code = 5


class Unreachable(RunError):
    """A site cannot be asked now: its connection is gone, hangs, or has no session free. Nothing there is wrong."""


class CheckError(PackhorseError):
    """A command of the study's `checks` did not pass."""

    exit_code = 6


class TasksFailed(PackhorseError):
    """The run is over and some tasks have no result."""

    exit_code = 7


class TableError(PackhorseError):
    """The table is written, but some column had to become JSON text."""

    exit_code = 8


class Stopped(PackhorseError):
    """The user stopped the run; everything finished is kept."""

    exit_code = 130
