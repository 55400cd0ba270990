"""Turning what goes wrong into one sentence, a hint, and an exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from packhorse.model.errors import PackhorseError, StudyError

INTERRUPTED = 130


def guarded(command: click.Command) -> int:
    """Run the command; return its exit code. Nothing the user does gives a traceback."""
    try:
        found = command.main(prog_name="packhorse", standalone_mode=False)
        return found if isinstance(found, int) else 0
    except PackhorseError as error:
        tell(error)
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
        # The reader, such as `head`, has gone; Python must not complain about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"packhorse: {_system(error)}", file=sys.stderr)
        return 1


def tell(error: PackhorseError) -> None:
    """Print an error and what to do about it."""
    where = f"{error.where}: " if isinstance(error, StudyError) and error.where else ""
    print(f"packhorse: {where}{error.message}", file=sys.stderr)
    for row in error.hint.splitlines():
        print(f"  {row}", file=sys.stderr)


def _system(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    said = f"{place}{error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        said += "\n  the disk is full: make space and type the same command again; nothing finished is lost"
    return said
