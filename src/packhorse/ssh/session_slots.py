"""Slots for the sessions of one connection, shared by all processes of a user: a site allows few sessions."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from packhorse.model.errors import Unreachable
from packhorse.ssh.login import Login

SLOT_SECONDS = 60.0  # to wait for a free slot


@contextmanager
def session_slot(login: Login, sessions: int) -> Iterator[None]:
    """Hold one session slot of the site; raise Unreachable where none becomes free in time."""
    handles = [
        os.open(login.socket.with_suffix(f".{number}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for number in range(max(1, sessions))
    ]
    give_up = time.monotonic() + SLOT_SECONDS
    try:
        while not any(_locked(handle) for handle in handles):
            if time.monotonic() > give_up:
                raise Unreachable(
                    f"all {len(handles)} sessions on the connection to {login.site} are in use",
                    "wait for your other commands to finish, then run this command again",
                )
            time.sleep(0.05)
        yield
    finally:
        for handle in handles:
            os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
