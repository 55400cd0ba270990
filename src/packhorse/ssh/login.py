"""The user's login to a site: a control master of the system's OpenSSH, which all sessions share.

Nothing here logs in. `ProxyCommand=false` keeps sessions from opening a connection of their own: without it, ssh
silently logs in again when the control master is gone or has no free session, which at a site with a second factor
sends the user an unexpected push request (seen with OpenSSH 9.2).
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
# creates one (mux.c of OpenSSH).
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
    """A destination of ssh, and the socket of its control master.

    `destination` is an argument of ssh: host, user@host or ssh://user@host:port; the user's ssh config applies.
    """

    site: str  # its name, for messages
    destination: str
    socket: Path
    config: str = ""  # another configuration file than ~/.ssh/config

    @property
    def keep_file(self) -> Path:
        """A file that exists while idle sessions must stay open (`packhorse connect --keep`)."""
        return self.socket.with_suffix(".keep")

    def program(self) -> list[str]:
        """Return the first arguments of every ssh command."""
        config = ["-F", self.config] if self.config else []
        return ["ssh", *config, "-o", f"ControlPath={self.socket}"]

    def session_argv(self, *more: str) -> list[str]:
        """Return the argv, up to the remote command, of a session on the control master.

        ssh exits with status 255 at once where it cannot get one.
        """
        options = [word for option in SESSION_OPTIONS for word in ("-o", option)]
        return [*self.program(), *options, *(more or ("-T",)), "--", self.destination]

    def alive(self) -> bool:
        """Return whether the control master is running; this does not use the network."""
        argv = [*self.program(), "-O", "check", "--", self.destination]
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=CHECK_SECONDS
            )
        except FileNotFoundError:
            raise RunError("ssh is not installed on this machine", "install the OpenSSH client") from None
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def lost(self) -> Unreachable:
        """Return the error for a session that could not be opened (exit status 255 of ssh)."""
        if self.alive():
            message = f"too many sessions at once on the connection to {self.site}"
            return Unreachable(message, "wait a few seconds, then run this command again")
        return Unreachable(f"not connected to {self.site}", f"log in: packhorse connect {self.site}")


def login_to(site: str, destination: str, folder: Path) -> Login:
    """Return the login to a site; `folder` is the user's private cache, which holds the socket."""
    config = os.environ.get(CONFIG_VARIABLE, "")
    name = hashlib.sha256(f"{destination}\0{config}".encode()).hexdigest()[:16]
    return Login(site=site, destination=destination, socket=_socket_folder(folder) / name, config=config)


def _socket_folder(cache: Path) -> Path:
    """Return a private folder with a short path without characters that ssh's configuration interprets."""
    folder = cache / "ssh"
    plain = all(char.isalnum() or char in "/._-" for char in str(folder)) and str(folder).isascii()
    if not plain or len(str(folder)) + 17 > LONGEST_SOCKET:
        folder = Path(tempfile.gettempdir()) / f"packhorse-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise RunError(f"{folder} belongs to another user", "set TMPDIR to a folder of your own")
    if stat.S_IMODE(status.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder
