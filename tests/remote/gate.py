"""The sshd in front of the test cluster as tests see it: its users, what it counted, and ways to change it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import struct
import time
from collections.abc import Iterator
from pathlib import Path

from cluster.testbed import Cluster, script


def fingerprint(public: Path) -> str:
    """Return the fingerprint of a public key, as ssh says it."""
    digest = hashlib.sha256(base64.b64decode(public.read_text().split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class Gate:
    """An sshd with second factors. What a test changes is undone by `repair`."""

    def __init__(self, cluster: Cluster, description: dict[str, object]) -> None:
        self.cluster = cluster
        self.place = cluster.directory / "sshd"
        self.port = cluster.ports + 10
        push, code, both = description["logins"]  # type: ignore[misc]
        # By what they log in with: what a site of that name stands for.
        self.users: dict[str, str] = {"key": cluster.users[0], "push": push, "code": code, "both": both}
        self._log = cluster.directory / "log" / "sshd.out"
        self._seen = self._log.stat().st_size
        self._attempts = self.factor("attempts").stat().st_size
        self._hurt = False

    def factor(self, name: str) -> Path:
        """Return a file of what the second factors are checked against."""
        return self.place / "factor" / name

    @property
    def password(self) -> str:
        """The password of everybody who has one."""
        return self.factor("password").read_text()

    @property
    def passcode(self) -> str:
        """What may be typed instead of approving a push."""
        return self.factor("passcode").read_text()

    def code(self) -> str:
        """Return the TOTP code of this half minute (RFC 6238)."""
        secret = base64.b32decode(self.factor("totp").read_text().splitlines()[0])
        digest = hmac.digest(secret, struct.pack(">Q", int(time.time()) // 30), "sha1")
        (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
        return f"{(number & 0x7FFFFFFF) % 10**6:06}"

    def answers(self, kind: str) -> list[tuple[str, str]]:
        """Return what a user of a kind is asked, as pieces of prompts, and what is right to say."""
        password = ("Password: ", self.password)
        return {
            "key": [],
            "push": [password, ("option", "1")],
            "code": [password, ("Verification code", self.code())],
            "both": [("option", "1")],
        }[kind]

    def push(self, word: str) -> None:
        """Say what becomes of pushes from now on: approve, deny, timeout."""
        self.factor("answer").write_text(word)

    def log(self) -> list[str]:
        """Return what sshd said since the test began."""
        return self._log.read_bytes()[self._seen :].decode().splitlines()

    def logins(self) -> list[str]:
        """Return the users who were let in since the test began, one for each authentication."""
        return [line.split(" for ")[1].split()[0] for line in self.log() if line.startswith("Accepted ")]

    def attempts(self) -> list[str]:
        """Return what was asked and answered since the test began: `user push ok`."""
        return self.factor("attempts").read_bytes()[self._attempts :].decode().splitlines()

    def host_key(self) -> str:
        """Return the host's public key, as a line of known_hosts has it after the name."""
        return " ".join((self.place / "host_key.pub").read_text().split()[:2])

    def fingerprint(self) -> str:
        """Return the fingerprint of the host's key."""
        return fingerprint(self.place / "host_key.pub")

    @contextlib.contextmanager
    def startup(self, kind: str, line: str) -> Iterator[None]:
        """Have a line at the beginning of the .bashrc of a user of a kind."""
        file = self.cluster.home(self.users[kind]) / ".bashrc"
        before = file.read_text()
        file.write_text(f"{line}\n{before}")
        try:
            yield
        finally:
            file.write_text(before)

    def restart(self, *, cut: bool = False) -> None:
        """Restart sshd; connections live on, unless they are `cut`."""
        self._do("kill", "sshd", *([] if cut else ["--alone"]))
        self._do("start", "sshd")

    def change(self, text: str) -> None:
        """Have lines of sshd_config otherwise, such as `MaxSessions 2`."""
        self._hurt = True
        (self.place / "changed.conf").write_text(text)
        self.restart()

    def freeze(self) -> None:
        """Let connections hang, as those of a network that is gone do; see `thaw`."""
        self._hurt = True
        self._do("freeze", "sshd")

    def thaw(self) -> None:
        """Let them go on."""
        self._do("thaw", "sshd")

    def repair(self) -> None:
        """Undo what a test changed; where that was sshd, end all connections."""
        self.push("approve")
        if not self._hurt:
            return
        self._do("thaw", "sshd")
        (self.place / "changed.conf").write_text("")
        self.restart(cut=True)

    @staticmethod
    def _do(*words: str) -> None:
        done = script(*words)
        assert done.returncode == 0, done.stdout
