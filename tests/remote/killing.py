"""Packhorse, killed at one of its questions to a site: `killing.py before|sent N NOTES WORDS...`.

`before` the N-th question, or when it was `sent` and its answer is not read. NOTES is a file that gets each question's name.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from packhorse.cli import main
from packhorse.ssh.session import Session

when, number, notes = sys.argv[1], int(sys.argv[2]), sys.argv[3]
send = Session.send
count = 0


def counted(self: Session, do: str, **said: Any) -> int:
    """Send a question, and be killed at the chosen one."""
    global count  # noqa: PLW0603 - a program of one purpose
    count += 1
    with Path(notes).open("a") as stream:
        stream.write(f"{count} {do} {' '.join(map(str, said.get('argv', [])[:1]))}\n")
    if count == number and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    sent = send(self, do, **said)
    if count == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return sent


Session.send = counted
sys.argv[1:] = sys.argv[4:]
main()
