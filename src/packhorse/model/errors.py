"""The errors that Packhorse raises, and the exit code of each.

PackhorseError (exit 1): any failure; it has a message and a hint, the next step
├── UsageError (exit 2): the command line or a call is wrong
├── StudyError (exit 3): a study or site file is invalid; it has file, line and column
├── SnapshotError (exit 4): the code cannot be put into a snapshot
├── RunError (exit 5): the run, or the site, does not allow this now
│   └── Unreachable (exit 5): a site cannot be reached now
├── CheckError (exit 6): a check of the study failed, so no task started
├── TasksFailed (exit 7): the run ended, and some tasks have no result
├── TableError (exit 8): the table was written, but a column mixes types
└── Stopped (exit 130): the user stopped the run; the same command continues it
"""

from __future__ import annotations


class PackhorseError(Exception):
    """An error that is shown to the user without a traceback.

    `message` says what failed; `hint` is the next step, often a command to type.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # Python prints notes under the message


class UsageError(PackhorseError):
    """The command line, or a call from Python, is wrong or names something that does not exist."""

    exit_code = 2


class StudyError(PackhorseError):
    """A study or site file is invalid; `where` is its position, file:line:column."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint)
        self.where = where


class SnapshotError(PackhorseError):
    """The code cannot be put into a snapshot."""

    exit_code = 4


class RunError(PackhorseError):
    """A run or its site does not allow this now: the run is locked, changed, absent, or not ours."""

    exit_code = 5


class Unreachable(RunError):
    """A site cannot be reached now: its connection is closed, hangs, or has no free session."""


class CheckError(PackhorseError):
    """A command of the study's `checks` failed."""

    exit_code = 6


class TasksFailed(PackhorseError):
    """The run ended, and some tasks have no result."""

    exit_code = 7


class TableError(PackhorseError):
    """The table was written, but a column that mixes types was stored as JSON text."""

    exit_code = 8


class Stopped(PackhorseError):
    """The user stopped the run; finished tasks keep their results."""

    exit_code = 130
