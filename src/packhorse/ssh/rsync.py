"""Large files by rsync, where both ends have it: on two cores that both ends share it takes less of them than we do.

It writes into the same part that a transfer of ours would go on with, and compares a checksum of the whole file itself;
the file gets its name afterwards, from the porter or here. Where it fails, for whatever reason, our own way goes on.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess

from packhorse.ssh.session import Session
from packhorse.ssh.session_slots import session_slot

LARGE = 64 << 20  # bytes still to go, below which a second session is not worth its start
STALL = 60  # seconds without a byte, after which rsync gives up
# --append-verify goes on after what is there and compares all of it at the end; what differs is sent anew (rsync(1)).
# --secluded-args (as -s, which 3.0 knows too): no shell reads the names.
OPTIONS = ("-s", "--append-verify", "--no-whole-file", f"--timeout={STALL}", "--chmod=F600", "--quiet")


def worth_rsync(session: Session, size: int) -> bool:
    """Tell whether a file with so many bytes to go is worth a try."""
    return size >= LARGE and session.sessions > 1 and shutil.which("rsync") is not None


def push(session: Session, here: str, there: str) -> bool:
    """Send a file (absolute paths); tell whether it is there whole."""
    return _run(session, here, f"{_host(session)}:{there}")


def pull(session: Session, there: str, here: str) -> bool:
    """Fetch a file (absolute paths); tell whether it is here whole."""
    return _run(session, f"{_host(session)}:{there}", here)


def _run(session: Session, source: str, target: str) -> bool:
    # rsync reads this line itself: quotes as a shell does, and nothing else (rsync(1), --rsh).
    shell = shlex.join(session.login.session_argv("-T")[:-2])
    argv = ["rsync", *OPTIONS, f"--rsh={shell}", "--", source, target]
    with session_slot(session.login, session.sessions):
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
    return done.returncode == 0


def _host(session: Session) -> str:
    """Return the destination as rsync writes it: without ssh:// and the port, which the master has gone to."""
    said = session.login.destination
    if said.startswith("ssh://"):
        user, at, host = said.removeprefix("ssh://").rstrip("/").rpartition("@")
        said = (
            user + at + (host.partition(":")[0] if not host.startswith("[") else host.partition("]")[0] + "]")
        )
    return said
