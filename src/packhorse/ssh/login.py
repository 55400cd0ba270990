"""The user's one login to a site: a master connection of the system's OpenSSH, on which everything else rides.

Nothing here logs in. What rides on the master forbids a connection of its own by `ProxyCommand=false`: without it
ssh, when the master is gone or all its sessions are used up, silently logs in anew, which at a site with a second
factor is a push that nobody asked for (seen with OpenSSH 9.2).
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import tempfile
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import RunError, Unreachable

# A socket's path may have 104 bytes on the BSDs and 108 on Linux (unix(7)); ssh adds a dot and 16 characters while it
# makes one (mux.c of OpenSSH).
LONGEST_SOCKET = 104 - 18
CHECK_SECONDS = 10.0
CONFIG_VARIABLE = "PACKHORSE_SSH_CONFIG"

SESSION_OPTIONS = (
    "ControlMaster=no",
    "BatchMode=yes",
    "ProxyCommand=false",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "LogLevel=ERROR",
)


class Login(Struct, frozen=True, kw_only=True):
    """Where a user logs in, and the socket of the master connection.

    `destination` is what ssh takes: host, user@host or ssh://user@host:port; the user's ssh config is honoured.
    """

    site: str  # its name, for messages
    destination: str
    socket: Path
    config: str = ""  # another configuration file than ~/.ssh/config

    @property
    def kept(self) -> Path:
        """A file that is there while the login is to be kept in use (`packhorse connect --keep`)."""
        return self.socket.with_suffix(".keep")

    def program(self) -> list[str]:
        """Return the beginning of every call of ssh."""
        chosen = ["-F", self.config] if self.config else []
        return ["ssh", *chosen, "-o", f"ControlPath={self.socket}"]

    def session_argv(self, *more: str) -> list[str]:
        """Return an argv up to the remote command: one more session on the master, or exit status 255 at once."""
        options = [word for said in SESSION_OPTIONS for word in ("-o", said)]
        return [*self.program(), *options, *(more or ("-T",)), "--", self.destination]

    def alive(self) -> bool:
        """Ask the master whether it is there; nothing goes over the network."""
        argv = [*self.program(), "-O", "check", "--", self.destination]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=CHECK_SECONDS
            )
        except FileNotFoundError:
            raise RunError("there is no ssh on this machine", "install the OpenSSH client") from None
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def lost(self) -> Unreachable:
        """Return what it means that a session could not be had (exit status 255 of ssh)."""
        if self.alive():
            message = f"too many sessions at once on the connection to {self.site}"
            return Unreachable(message, "wait a little, then type the same command again")
        return Unreachable(
            f"there is no connection to {self.site}", f"log in again: packhorse connect {self.site}"
        )


def login_to(site: str, destination: str, folder: Path) -> Login:
    """Return the login to a site; `folder` is the user's private cache, in which the socket stands."""
    config = os.environ.get(CONFIG_VARIABLE, "")
    name = hashlib.sha256(f"{destination}\0{config}".encode()).hexdigest()[:16]
    place = _socket_folder(folder)
    return Login(site=site, destination=destination, socket=place / name, config=config)


def _socket_folder(cache: Path) -> Path:
    """Return a private folder whose path is short, and has nothing that ssh's configuration would read as its own."""
    place = cache / "ssh"
    plain = all(one.isalnum() or one in "/._-" for one in str(place)) and str(place).isascii()
    if not plain or len(str(place)) + 17 > LONGEST_SOCKET:
        place = Path(tempfile.gettempdir()) / f"packhorse-{os.getuid()}"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = place.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        raise RunError(f"{place} belongs to somebody else", "set TMPDIR to a folder of your own")
    if stat.S_IMODE(about.st_mode) != 0o700:
        place.chmod(0o700)
    return place
