"""A laptop: a home of its own with ssh's and Packhorse's settings, and a terminal in which somebody answers ssh."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pexpect

from remote.gate import Gate, fingerprint

Run = Callable[..., subprocess.CompletedProcess[str]]
BIN = Path(sys.executable).parent
CONFIG = """\
Host *
    HostName 127.0.0.1
    Port {port}
    UserKnownHostsFile {home}/known_hosts
    GlobalKnownHostsFile /dev/null
    IdentityFile {home}/key
    IdentitiesOnly yes
    IdentityAgent none
    HashKnownHosts no
"""


class Laptop:
    """Runs Packhorse as on a laptop whose sites are `key`, `push`, `code` and `both`: what each user logs in with."""

    def __init__(self, home: Path, gate: Gate, packhorse: Run) -> None:
        self.home, self.gate, self._packhorse = home, gate, packhorse
        self.sites = home / ".config" / "packhorse" / "sites"
        self.sites.mkdir(parents=True)
        self.ssh_config = home / "ssh_config"
        self.known_hosts = home / "known_hosts"
        for ending in ("", ".pub"):
            shutil.copy(gate.place / f"user_key{ending}", home / f"key{ending}")
        (home / "key").chmod(0o600)
        self.trust(gate.host_key())
        hosts = "".join(f"Host login-{kind}\n    User {user}\n" for kind, user in gate.users.items())
        self.ssh_config.write_text(hosts + CONFIG.format(port=gate.port, home=home))
        for kind in gate.users:
            self.site(kind, f"extends: testbed\nlogin: login-{kind}\n")

    @property
    def environment(self) -> dict[str, str | None]:
        """What a program on the laptop sees, beside what all tests see."""
        gone = dict.fromkeys(("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "SSH_AUTH_SOCK", "SSH_ASKPASS", "DISPLAY"))
        settings = {"HOME": str(self.home), "PACKHORSE_SSH_CONFIG": str(self.ssh_config)}
        return {**gone, **settings, "LANG": "C.UTF-8", "TERM": "xterm"}

    def site(self, name: str, text: str) -> Path:
        """Write the file of a site."""
        path = self.sites / f"{name}.yaml"
        path.write_text(text)
        return path

    def prefer(self, *lines: str) -> None:
        """Put lines into the ssh configuration, before all others."""
        self.ssh_config.write_text("".join(f"{line}\n" for line in lines) + self.ssh_config.read_text())

    def trust(self, key: str) -> None:
        """Have this host key, and no other, in known_hosts; "" for none."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.gate.port} {key}\n" if key else "")

    def fingerprint(self) -> str:
        """Return the fingerprint of the user's key."""
        return fingerprint(self.home / "key.pub")

    def run(self, *words: str | Path, **more: object) -> subprocess.CompletedProcess[str]:
        """Run Packhorse without a terminal; the arguments are those of the fixture `packhorse`."""
        more = {"cwd": self.home, **more, "env": {**self.environment, **(more.get("env") or {})}}  # type: ignore[dict-item]
        return self._packhorse(*words, **more)

    def ssh(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run ssh with the laptop's configuration, without a terminal."""
        argv = ["ssh", "-F", str(self.ssh_config), *words]
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )

    def terminal(self, *words: str | Path, size: tuple[int, int] = (40, 200)) -> pexpect.spawn:
        """Start Packhorse in a terminal of its own; what it prints is shown when a test fails."""
        seen = {**os.environ, **self.environment}
        env = {name: value for name, value in seen.items() if value is not None}
        argv = [str(BIN / "packhorse"), *map(str, words)]
        talk = pexpect.spawn(
            argv[0], argv[1:], cwd=str(self.home), env=env, encoding="utf-8", timeout=30, dimensions=size
        )
        talk.logfile_read = sys.stdout
        return talk

    def connect(
        self, site: str, answers: Sequence[tuple[str, str]] | None = None, *words: str
    ) -> tuple[int, str]:
        """Type `packhorse connect SITE` and answer ssh; return the exit status and all that was shown.

        `answers` are pieces of what is asked with what is said; by default the right ones.
        """
        talk = self.terminal("connect", site, *words)
        shown = ""
        for question, answer in self.gate.answers(site) if answers is None else answers:
            talk.expect_exact(question)
            shown += talk.before + talk.after
            talk.sendline(answer)
        talk.expect(pexpect.EOF)
        shown += talk.before
        talk.close()
        return int(talk.exitstatus if talk.signalstatus is None else -talk.signalstatus), shown.replace(
            "\r\n", "\n"
        )

    @contextlib.contextmanager
    def session(self, site: str) -> Iterator[None]:
        """Hold a session on the connection to a site."""
        (socket,) = self.sockets()
        argv = [
            "ssh",
            "-F",
            str(self.ssh_config),
            "-o",
            f"ControlPath={socket}",
            f"login-{site}",
            "echo; cat",
        ]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            yield
            assert process.stdin is not None
            process.stdin.close()

    def sockets(self) -> list[Path]:
        """Return the sockets of master connections."""
        return [path for path in self.home.glob("**/*") if path.is_socket()]

    def masters(self) -> list[int]:
        """Return the processes of the master connections that are open."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if str(self.ssh_config).encode() in words and words.startswith(b"ssh"):
                found.append(int(folder.name))
        return found
