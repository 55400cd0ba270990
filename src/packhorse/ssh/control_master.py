"""The master connection itself: opened in the user's terminal, looked at, closed."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.ssh.login import Login

ANSWER_SECONDS = 10.0  # for a login node that is asked who we are
LOOK_SECONDS = 10.0  # for ssh and ssh-keygen to read files of this machine
REACH_SECONDS = 30  # for a host that does not answer at all, where the user's settings name no time
# A master whose network is gone ends after a minute, and does not hang for hours. This holds no idle login open:
# ControlPersist ends the master when the site would.
KEEPALIVE = ("ServerAliveInterval=15", "ServerAliveCountMax=3")
MARK = "packhorse-here"
# Words that mean the same to every shell. What its files print stands before the mark.
WHO = f"echo; echo {MARK}; id -un; hostname; echo {MARK}"


class MasterStatus(Struct, frozen=True, kw_only=True):
    """What the master connection is like.

    open; busy: no session is free; mute: commands are not run; silent: no answer comes; closed: there is none.
    """

    state: Literal["open", "busy", "mute", "silent", "closed"]
    user: str = ""
    host: str = ""
    noise: str = ""  # what the login's files print in a plain command


class SshSettings(Struct, frozen=True, kw_only=True):
    """What ssh would do with a destination, by the user's settings (ssh -G)."""

    host: str
    user: str
    port: str
    name: str  # under which the host's key is kept
    files: tuple[str, ...]  # where keys are kept
    strict: bool  # the user's settings refuse unknown keys
    timeout: bool  # they say how long to wait for a connection


def check_master(login: Login, seconds: float = ANSWER_SECONDS) -> MasterStatus:
    """Ask over the master who and where we are; what is left of a dead master is removed."""
    if not login.alive():
        remove_dead_socket(login)
        return MasterStatus(state="closed")
    argv = [*login.session_argv("-T", "-n"), WHO]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return MasterStatus(state="silent")
    parts = re.split(rf"^{MARK}$", done.stdout.decode(errors="replace"), maxsplit=2, flags=re.MULTILINE)
    if len(parts) == 3:
        user, _, host = parts[1].strip().partition("\n")
        return MasterStatus(state="open", user=user.strip(), host=host.strip(), noise=parts[0].strip())
    if login.alive():
        return MasterStatus(state="busy" if done.returncode == 255 else "mute")
    return MasterStatus(state="closed")


def remove_dead_socket(login: Login) -> bool:
    """Remove the socket of a master that is dead; tell whether there was one."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(LOOK_SECONDS)
        try:
            probe.connect(str(login.socket))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                login.socket.unlink(missing_ok=True)
                return True
    return False


def close_master(login: Login) -> bool:
    """End the master and all that rides on it; tell whether there was one. One that hangs is left behind."""
    there = login.alive()
    if there:
        _read([*login.program(), "-O", "exit", "--", login.destination])
    left = login.socket.exists()
    login.socket.unlink(missing_ok=True)
    return there or left


@contextmanager
def connect_lock(login: Login) -> Iterator[None]:
    """Let one `connect` at a time ask, since of two logins one would be for nothing; raise RunError for the other."""
    handle = os.open(login.socket.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"another packhorse connect {login.site} is under way", "answer there, or end it with Ctrl-C"
            ) from None
        yield
    finally:
        os.close(handle)


def open_master(login: Login, facts: SshSettings, idle: int) -> str:
    """Log in, in the user's terminal; return "" or what ssh said on standard error where that failed.

    What is asked and answered goes between ssh and the terminal (/dev/tty). Only what ssh says on standard error
    passes through here, on its way to the terminal, so that a failure can be explained.
    """
    options = [
        "ControlMaster=yes",
        f"ControlPersist={idle}",
        "BatchMode=no",
        f"StrictHostKeyChecking={'yes' if facts.strict else 'ask'}",
        "RemoteCommand=none",
        "ClearAllForwardings=yes",
        "LogLevel=INFO",  # banners and reasons; nothing of it is said more quietly because of the user's settings
        *KEEPALIVE,
        *([] if facts.timeout else [f"ConnectTimeout={REACH_SECONDS}"]),
    ]
    argv = [*login.program(), "-fNT", *(word for said in options for word in ("-o", said))]
    # The master leaves the terminal, but a jump host's ssh that it started does not: neither may hear it being closed.
    heard = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = subprocess.Popen([*argv, "--", login.destination], stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGHUP, heard)
    try:
        said = _pass_on(process)
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()  # it has heard of it too, and puts the terminal right
        raise
    return "" if status == 0 else said or f"ssh ended with status {status}"


def _pass_on(process: subprocess.Popen[bytes]) -> str:
    """Copy ssh's standard error to ours until ssh ends; the master that it leaves behind may keep the pipe open."""
    assert process.stderr is not None
    handle = process.stderr.fileno()
    said = bytearray()
    while True:
        ended = process.poll() is not None
        ready, _, _ = select.select([handle], [], [], 0 if ended else 0.2)
        block = os.read(handle, 65536) if ready else b""
        if block:
            said += block
            sys.stderr.flush()
            os.write(sys.stderr.fileno(), block)
        elif ended or ready:
            return said.decode(errors="replace")


def read_settings(login: Login) -> SshSettings:
    """Return what ssh would do; raise RunError where it does not understand its settings."""
    known = dict(line.partition(" ")[::2] for line in reversed(_settings(login, login.destination)))
    host, port = known.get("hostname", login.destination), known.get("port", "22")
    name = known.get("hostkeyalias") or (host if port == "22" else f"[{host}]:{port}")
    files = shlex.split(known.get("userknownhostsfile", "")) + shlex.split(
        known.get("globalknownhostsfile", "")
    )
    return SshSettings(
        host=host,
        user=known.get("user", ""),
        port=port,
        name=name.lower(),
        files=tuple(str(Path(file).expanduser()) for file in files if file != "none"),
        strict=known.get("stricthostkeychecking") in ("yes", "true"),
        timeout=known.get("connecttimeout", "none") not in ("none", "0"),
    )


def is_configured(login: Login) -> bool:
    """Tell whether the user's settings speak of a host: whether they say else of it than of just any."""
    other = "packhorse-any-host"
    of_it, of_any = _settings(login, login.destination), _settings(login, other)
    return [line.replace(login.destination, other) for line in of_it] != of_any


def _settings(login: Login, destination: str) -> list[str]:
    """Return what ssh makes of its settings, in lines; nothing goes over the network."""
    done = _read([*login.program(), "-G", "--", destination])
    if done is None:
        raise RunError("ssh -G does not end", "a `Match exec` of your ssh config may hang")
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it does not say why"])[0]
        raise RunError(f"ssh refuses its settings: {said}", "correct them, then type the same command again")
    return done.stdout.splitlines()


def _read(argv: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run a program of OpenSSH that reads files of this machine; None where it does not end."""
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LOOK_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    except FileNotFoundError:
        raise RunError(f"there is no {argv[0]} on this machine", "install the OpenSSH client") from None


def known_host_keys(facts: SshSettings) -> list[tuple[str, str]]:
    """Return the keys that this machine has of a host, each as (file, kind and fingerprint)."""
    found = []
    for file in facts.files:
        if not Path(file).is_file():
            continue
        done = _read(["ssh-keygen", "-l", "-F", facts.name, "-f", file])
        for line in done.stdout.splitlines() if done else []:
            words = line.split()
            if len(words) >= 3 and not line.startswith("#"):  # name, kind, fingerprint
                found.append((file, f"{words[1]} {words[2]}"))
    return found
