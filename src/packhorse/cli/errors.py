"""Print an error as one sentence and a hint, and return its exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from packhorse.model.errors import PackhorseError, StudyError

INTERRUPTED = 130


def guarded(command: click.Command) -> int:
    """Run the command and return its exit code; a user's error never gives a traceback."""
    try:
        result = command.main(prog_name="packhorse", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except PackhorseError as error:
        print_error(error)
        return error.exit_code
    except click.exceptions.Abort:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # The reader, such as `head`, has exited; Python must not report that at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"packhorse: {_system(error)}", file=sys.stderr)
        return 1


def print_error(error: PackhorseError) -> None:
    """Print an error and its hint."""
    where = f"{error.where}: " if isinstance(error, StudyError) and error.where else ""
    print(f"packhorse: {where}{error.message}", file=sys.stderr)
    for row in error.hint.splitlines():
        print(f"  {row}", file=sys.stderr)


def _system(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    text = f"{place}{error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text += "\n  the disk is full: make space and run the same command again; finished tasks are kept"
    return text
