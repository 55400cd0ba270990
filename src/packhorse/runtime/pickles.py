"""Pickles as results, read only where the user trusts what writes them: a pickle runs code when it is read."""

from __future__ import annotations

import json
import os
import pickle  # noqa: TID251 - only for files of the user's own run, with --trust-pickle
import stat
from pathlib import Path

from packhorse.task_values import plain


def is_private(folder: Path) -> bool:
    """Return whether only the user can write to a folder, so that no other user can have written a pickle in it."""
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def read_pickle(data: bytes) -> bytes:
    """Return the value of a pickle as JSON; raise ValueError where it cannot be read or has no plain form."""
    try:
        value = pickle.loads(data)  # noqa: S301 - see above
    except Exception as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    try:
        return json.dumps(value, default=plain).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from error
