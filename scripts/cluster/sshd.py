"""An sshd in front of the cluster, with second factors, as sites have it. Only as root; it listens on this machine alone.

It has its own configuration, keys and port, and a PAM service of its own; the machine's sshd is neither asked nor
changed. No user has a password of this machine's: what is asked for is checked by a module of ours (second_factor.c).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import signal
import socket
import subprocess
from pathlib import Path

import configuration
import daemons
from machine import TOTP, no_login, program
from place import Cluster, Refused

# In sshd's terms its PAM service is called as the program was (sshd(8), UsePAM), until PAMServiceName of 9.8.
PAM = Path("/etc/pam.d")
RUN = Path("/run/sshd")  # where sshd locks in who has not logged in yet; compiled into it
MADE_RUN = "made-run"
MODULE = "pam_second_factor.so"
HOST = "testbed-login"  # what logins see as this machine's name

SSHD = """\
# First, since the first value of a keyword counts: what a test wants to be otherwise.
Include {here}/changed.conf
ListenAddress 127.0.0.1
Port {port}
HostKey {here}/host_key
PidFile none
UsePAM yes
StrictModes no
PermitRootLogin no
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication yes
AuthorizedKeysFile {here}/keys/%u
AcceptEnv LANG LC_*
SetEnv SLURM_CONF={conf}
PrintMotd no
PrintLastLog no
UseDNS no
LoginGraceTime 30
MaxSessions 10
Subsystem sftp internal-sftp
AllowUsers {everybody}
AuthenticationMethods publickey
Match User {push},{code}
    AuthenticationMethods keyboard-interactive:pam
Match User {both}
    AuthenticationMethods publickey,keyboard-interactive:pam
"""

# PAM goes on in line, and over as many lines as success=N says (pam.conf(5)).
SERVICE = """\
{mark}
auth    [success=1 default=ignore]    pam_succeed_if.so quiet user = {both}
auth    requisite                     {module} ask=password dir={factor}
auth    [success=2 default=ignore]    pam_succeed_if.so quiet user = {code}
auth    [success=done default=die]    {module} ask=push dir={factor}
auth    requisite                     pam_deny.so
auth    required                      {totp} secret={factor}/totp user=root
account required                      pam_permit.so
session required                      pam_permit.so
"""


def start(cluster: Cluster) -> None:
    """Start sshd, where one can be."""
    if no_login(cluster) or daemons.alive(cluster, "sshd"):
        return
    here = cluster.path("sshd")
    _keys(cluster, here)
    _factors(here / "factor")
    _service(cluster, here)
    _run_folder(here)
    link = here / _name(cluster)
    if not link.is_symlink():
        link.symlink_to(program("sshd"))
    (here / "changed.conf").touch()
    _write(here / "sshd_config", _configuration(cluster, link), 0o644)
    argv: list[str | Path] = [program("unshare"), "--uts", "sh", "-c", 'hostname "$0"; exec "$@"', HOST]
    argv += [link, "-D", "-e", "-f", here / "sshd_config"]
    daemons.start(cluster, "sshd", argv)
    daemons.ready(cluster, "sshd", lambda: _answers(cluster), seconds=10)


def _configuration(cluster: Cluster, link: Path) -> str:
    """Return sshd_config; where sshd knows how to name its PAM service, it is told to."""
    push, code, both = cluster.logins
    text = SSHD.format(
        here=cluster.path("sshd"), port=cluster.port("sshd"), conf=cluster.configuration,
        everybody=" ".join(cluster.everybody), push=push, code=code, both=both,
    )  # fmt: skip
    named = f"PAMServiceName {_name(cluster)}\n"
    trial = cluster.path("sshd", "trial")
    _write(trial, named + text, 0o644)
    known = subprocess.run([link, "-t", "-f", trial], capture_output=True, check=False).returncode == 0
    trial.unlink()
    return named + text if known else text


def _answers(cluster: Cluster) -> bool:
    """Tell whether sshd greets who calls."""
    try:
        with socket.create_connection(("127.0.0.1", cluster.port("sshd")), timeout=2) as line:
            return line.recv(4) == b"SSH-"
    except OSError:
        return False


def _name(cluster: Cluster) -> str:
    """Return a name that no other cluster's sshd has."""
    return f"packhorse-sshd-{hashlib.sha256(str(cluster.directory).encode()).hexdigest()[:8]}"


def _keys(cluster: Cluster, here: Path) -> None:
    """Make the host's key, and one with which the first user and the last log in."""
    configuration.folder(cluster, here, None)
    configuration.folder(cluster, here / "keys", None)
    for name in ("host_key", "user_key"):
        if not (here / name).exists():
            argv = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", here / name]
            subprocess.run(argv, check=True)
    for user in (*cluster.users, cluster.logins[-1]):
        _write(here / "keys" / user, (here / "user_key.pub").read_text(), 0o644)


def _factors(factor: Path) -> None:
    """Make what the second factors are checked against, once, and the module that does it."""
    factor.mkdir(mode=0o700, exist_ok=True)
    totp = f'{base64.b32encode(os.urandom(20)).decode()}\n" WINDOW_SIZE 3\n" TOTP_AUTH\n'
    made = {"password": secrets.token_hex(12), "passcode": f"{secrets.randbelow(10**6):06}", "totp": totp}
    for name, text in {**made, "answer": "approve", "attempts": ""}.items():
        if not (factor / name).exists():
            _write(factor / name, text, 0o400 if name == "totp" else 0o600)
    source = Path(__file__).parent / "second_factor.c"
    argv = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-o", factor / MODULE, source]
    built = subprocess.run([*argv, "-lpam"], capture_output=True, text=True, check=False)
    if built.returncode:
        raise Refused(f"{source.name} cannot be compiled:\n{built.stderr}")


def _mark(cluster: Cluster) -> str:
    return f"# Packhorse's test cluster in {cluster.directory}"


def _service(cluster: Cluster, here: Path) -> None:
    """Write the PAM service; refuse where the file is somebody else's."""
    file = PAM / _name(cluster)
    if file.exists() and not file.read_text().startswith(_mark(cluster) + "\n"):
        raise Refused(f"{file} is there already and is not of this cluster. It was left alone.")
    _, code, both = cluster.logins
    factor = here / "factor"
    text = SERVICE.format(
        mark=_mark(cluster), module=factor / MODULE, factor=factor, totp=TOTP, code=code, both=both
    )
    _write(file, text, 0o644)


def _run_folder(here: Path) -> None:
    """Make the folder without which no sshd starts, where the machine's own has not made it."""
    if not RUN.exists():
        (here / MADE_RUN).touch()
        RUN.mkdir(mode=0o755)


def _write(path: Path, text: str, mode: int) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    path.chmod(mode)


def connections(cluster: Cluster) -> list[int]:
    """Return the processes that serve a connection, which outlive the sshd that took it."""
    local = f":{cluster.port('sshd'):04X}"
    sockets = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()  # sl local remote state ... inode (proc_net_tcp, Linux)
        if fields[1].endswith(local) and fields[3] != "0A":
            sockets.add(f"socket:[{fields[9]}]")
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with contextlib.suppress(OSError):
            if sockets & {str(entry.readlink()) for entry in folder.iterdir()}:
                found.append(int(folder.parent.name))
    return found


def stop(cluster: Cluster) -> None:
    """Stop sshd and every connection."""
    daemons.stop(cluster, "sshd")
    if cluster.root and cluster.ports:
        daemons.end(connections(cluster), first=signal.SIGKILL)


def remove(cluster: Cluster) -> None:
    """Remove what was made outside of the cluster's directory."""
    file = PAM / _name(cluster)
    if file.exists() and file.read_text().startswith(_mark(cluster) + "\n"):
        file.unlink()
    if cluster.path("sshd", MADE_RUN).exists() and not _any_sshd():
        with contextlib.suppress(OSError):  # something is in it
            RUN.rmdir()


def _any_sshd() -> bool:
    """Tell whether any sshd runs on this machine; ours are called packhorse-sshd."""
    for file in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):
            if "sshd" in file.read_text():
                return True
    return False
