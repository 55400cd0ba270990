"""The control master: opening it in the user's terminal, checking and closing it, and reading ssh's settings."""

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

REPLY_SECONDS = 10.0  # for a login node to run WHO
LOCAL_SECONDS = 10.0  # for ssh and ssh-keygen to read files of this machine
CONNECT_SECONDS = 30  # for a host that does not respond, where the user's settings have no ConnectTimeout
# A control master whose network is down exits after a minute instead of hanging for hours. This does not keep an idle
# login open: ControlPersist ends the master when the site would.
KEEPALIVE = ("ServerAliveInterval=15", "ServerAliveCountMax=3")
MARK = "packhorse-here"
# These words mean the same in every shell. Output of its startup files precedes the first mark.
WHO = f"echo; echo {MARK}; id -un; hostname; echo {MARK}"


class MasterStatus(Struct, frozen=True, kw_only=True):
    """State of the control master.

    open; busy: no session is free; mute: it runs no commands; silent: no reply in time; closed: there is no master.
    """

    state: Literal["open", "busy", "mute", "silent", "closed"]
    user: str = ""
    host: str = ""
    noise: str = ""  # output of the login's startup files in a non-interactive shell


class SshSettings(Struct, frozen=True, kw_only=True):
    """The user's ssh settings for a destination (ssh -G)."""

    host: str
    user: str
    port: str
    name: str  # of the host in the known-hosts files
    files: tuple[str, ...]  # known-hosts files
    strict: bool  # whether unknown host keys are refused
    timeout: bool  # whether there is a ConnectTimeout


def check_master(login: Login, seconds: float = REPLY_SECONDS) -> MasterStatus:
    """Return the state of the control master, with user and host name; remove the socket of a dead master."""
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
    """Remove the socket of a dead master; return whether there was one."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(LOCAL_SECONDS)
        try:
            probe.connect(str(login.socket))
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                login.socket.unlink(missing_ok=True)
                return True
    return False


def close_master(login: Login) -> bool:
    """End the control master and all its sessions; return whether there was one. Ignore a master that hangs."""
    alive = login.alive()
    if alive:
        _run_local([*login.program(), "-O", "exit", "--", login.destination])
    stale = login.socket.exists()
    login.socket.unlink(missing_ok=True)
    return alive or stale


@contextmanager
def connect_lock(login: Login) -> Iterator[None]:
    """Allow one `connect` at a time, since a second login would be useless; raise RunError for the second."""
    handle = os.open(login.socket.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"another packhorse connect {login.site} is running", "log in there, or stop it with Ctrl-C"
            ) from None
        yield
    finally:
        os.close(handle)


def open_master(login: Login, facts: SshSettings, idle: int) -> str:
    """Log in, in the user's terminal; return "", or ssh's standard error where the login failed.

    Passwords and other prompts go directly between ssh and the terminal (/dev/tty). Only ssh's standard error is
    copied through here, so that a failure can be explained.
    """
    options = [
        "ControlMaster=yes",
        f"ControlPersist={idle}",
        "BatchMode=no",
        f"StrictHostKeyChecking={'yes' if facts.strict else 'ask'}",
        "RemoteCommand=none",
        "ClearAllForwardings=yes",
        "LogLevel=INFO",  # banners and error messages, also where the user's settings silence them
        *KEEPALIVE,
        *([] if facts.timeout else [f"ConnectTimeout={CONNECT_SECONDS}"]),
    ]
    argv = [*login.program(), "-fNT", *(word for option in options for word in ("-o", option))]
    # The master detaches from the terminal, but the ssh of a jump host that it started does not: closing the terminal
    # must not end either of them.
    handler = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = subprocess.Popen([*argv, "--", login.destination], stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGHUP, handler)
    try:
        errors = _copy_errors(process)
        status = process.wait()
    except KeyboardInterrupt:
        process.wait()  # ssh got the signal too, and restores the terminal
        raise
    return "" if status == 0 else errors or f"ssh exited with status {status}"


def _copy_errors(process: subprocess.Popen[bytes]) -> str:
    """Copy ssh's standard error to ours until ssh exits, and return it; the master may keep the pipe open."""
    assert process.stderr is not None
    handle = process.stderr.fileno()
    copied = bytearray()
    while True:
        ended = process.poll() is not None
        ready, _, _ = select.select([handle], [], [], 0 if ended else 0.2)
        block = os.read(handle, 65536) if ready else b""
        if block:
            copied += block
            sys.stderr.flush()
            os.write(sys.stderr.fileno(), block)
        elif ended or ready:
            return copied.decode(errors="replace")


def read_settings(login: Login) -> SshSettings:
    """Return the ssh settings of a login; raise RunError where ssh cannot read them."""
    settings = dict(line.partition(" ")[::2] for line in reversed(_settings(login, login.destination)))
    host, port = settings.get("hostname", login.destination), settings.get("port", "22")
    name = settings.get("hostkeyalias") or (host if port == "22" else f"[{host}]:{port}")
    files = shlex.split(settings.get("userknownhostsfile", ""))
    files += shlex.split(settings.get("globalknownhostsfile", ""))
    return SshSettings(
        host=host,
        user=settings.get("user", ""),
        port=port,
        name=name.lower(),
        files=tuple(str(Path(file).expanduser()) for file in files if file != "none"),
        strict=settings.get("stricthostkeychecking") in ("yes", "true"),
        timeout=settings.get("connecttimeout", "none") not in ("none", "0"),
    )


def is_configured(login: Login) -> bool:
    """Return whether the user's ssh settings for a host differ from those for an arbitrary host."""
    other = "packhorse-any-host"
    settings, defaults = _settings(login, login.destination), _settings(login, other)
    return [line.replace(login.destination, other) for line in settings] != defaults


def host_name(login: Login) -> str:
    """Return the name of the host that ssh would reach; the user's settings may name it for an alias."""
    found = (
        line.partition(" ")[2] for line in _settings(login, login.destination) if line.startswith("hostname ")
    )
    return next(found, "")


def _settings(login: Login, destination: str) -> list[str]:
    """Return the lines of `ssh -G`; this does not use the network."""
    done = _run_local([*login.program(), "-G", "--", destination])
    if done is None:
        raise RunError(
            f"ssh -G did not exit within {LOCAL_SECONDS:.0f} s",
            "check whether a `Match exec` in your ssh config hangs",
        )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[0]
        raise RunError(f"ssh rejects its settings: {reason}", "correct them, then run this command again")
    return done.stdout.splitlines()


def _run_local(argv: list[str]) -> subprocess.CompletedProcess[str] | None:
    """Run an OpenSSH program that does not use the network; return None where it does not exit in time."""
    try:
        return subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=LOCAL_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return None
    except FileNotFoundError:
        raise RunError(f"{argv[0]} is not installed on this machine", "install the OpenSSH client") from None


def known_host_keys(facts: SshSettings) -> list[tuple[str, str]]:
    """Return the keys of a host in the known-hosts files, each as (file, kind and fingerprint)."""
    keys = []
    for file in facts.files:
        if not Path(file).is_file():
            continue
        done = _run_local(["ssh-keygen", "-l", "-F", facts.name, "-f", file])
        for line in done.stdout.splitlines() if done else []:
            fields = line.split()
            if len(fields) >= 3 and not line.startswith("#"):  # name, kind, fingerprint
                keys.append((file, f"{fields[1]} {fields[2]}"))
    return keys
