"""Transfer of large files with rsync where both ends have it, since it uses less CPU than our own transfer.

rsync writes the same part file that our own transfer would resume, and verifies a checksum of the whole file. The
caller renames the file afterwards. Where rsync fails, for whatever reason, our own transfer resumes.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess

from packhorse.ssh.session import Session
from packhorse.ssh.session_slots import session_slot

LARGE = 64 << 20  # bytes to transfer; for less, starting a second session costs more than it saves
STALL = 60  # seconds without a byte, after which rsync gives up
# --append-verify resumes after the existing bytes, and resends the file if its checksum then differs (rsync(1)).
# --secluded-args (as -s, which 3.0 knows too): no shell interprets the names.
OPTIONS = ("-s", "--append-verify", "--no-whole-file", f"--timeout={STALL}", "--chmod=F600", "--quiet")


def worth_rsync(session: Session, size: int) -> bool:
    """Return whether rsync is available here and worthwhile for `size` bytes."""
    return size >= LARGE and session.sessions > 1 and shutil.which("rsync") is not None


def push(session: Session, local: str, remote: str) -> bool:
    """Upload a file (absolute paths); return whether it is complete there."""
    return _run(session, local, f"{_host(session)}:{remote}")


def pull(session: Session, remote: str, local: str) -> bool:
    """Download a file (absolute paths); return whether it is complete here."""
    return _run(session, f"{_host(session)}:{remote}", local)


def _run(session: Session, source: str, target: str) -> bool:
    # rsync splits this line itself: it interprets quotes as a shell does, and nothing else (rsync(1), --rsh).
    shell = shlex.join(session.login.session_argv("-T")[:-2])
    argv = ["rsync", *OPTIONS, f"--rsh={shell}", "--", source, target]
    with session_slot(session.login, session.sessions):
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
    return done.returncode == 0


def _host(session: Session) -> str:
    """Return the destination in rsync's form: without ssh:// and the port, which the control master already uses."""
    destination = session.login.destination
    if not destination.startswith("ssh://"):
        return destination
    user, at, host = destination.removeprefix("ssh://").rstrip("/").rpartition("@")
    name = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return user + at + name
