"""Interactive shells on a site, in this terminal: on the login node, or inside a job within tmux or screen."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence

from packhorse.model.errors import RunError
from packhorse.ssh.login import Login
from packhorse.ssh.session_slots import session_slot

CONNECTION_LOST = 255  # exit status of ssh when the connection failed, not the command
NAME = "packhorse"  # of the tmux or screen session
# Exit statuses of the scripts below, besides those of the command that ran.
OPEN, DETACHED, ELSEWHERE, NONE = 240, 241, 242, 243

# The scripts have no single quote, newline or exclamation mark, so that any login shell accepts them within single
# quotes. Startup files of the login shell set up the scheduler; csh and fish cannot read the scripts, so bash runs them.
START = (
    'case "$SHELL" in */bash|*/zsh|*/ksh|*/dash|*/sh) s=$SHELL;; *) s=/bin/bash;; esac; exec "$s" -l -c "$@"'
)
HERE = 'd=${XDG_CACHE_HOME:-$HOME/.cache}/packhorse; f=$d/shell; has() { command -v "$1" >/dev/null 2>&1; }; '
SESSION = (
    'tmuxed() { has tmux && tmux has-session -t "$0" 2>/dev/null; }; '
    'screened() { has screen && screen -ls "$0" | grep -q "[.]$0[[:space:]].*tached"; }; '
    f"left() {{ {{ tmuxed || screened; }} && exit {DETACHED}; }}; "
)
JOB = (
    f'{HERE}{SESSION}{{ tmuxed || screened; }} && exit {OPEN}; mkdir -p "$d" && hostname >"$f"; '
    'if has tmux; then tmux new-session -s "$0" "$@"; elif has screen; then screen -S "$0" "$@"; '
    'else echo "note: tmux and screen are not installed here; the job ends when the connection is lost" >&2; "$@"; fi; '
    'r=$?; left; rm -f "$f"; exit $r'
)
ATTACH = (
    f'{HERE}{SESSION}if tmuxed; then tmux attach-session -d -t "$0"; elif screened; then screen -d -r "$0"; '
    f'elif [ -s "$f" ]; then h=$(cat "$f"); n=$(hostname); if [ "$h" = "$n" ]; then rm -f "$f"; exit {NONE}; fi; '
    f'echo "The session is on $h, but this connection goes to $n." >&2; exit {ELSEWHERE}; '
    f'else exit {NONE}; fi; r=$?; left; rm -f "$f"; exit $r'
)


def login_shell(login: Login, sessions: int) -> int:
    """Open a shell on the login node; return its exit status."""
    return _run_interactive(login, sessions, "")


def job_shell(login: Login | None, sessions: int, argv: Sequence[str]) -> int:
    """Open a shell inside a job, in a session that survives a lost connection. `login` is None on the login node itself."""
    return _session(login, sessions, JOB, argv)


def attach(login: Login | None, sessions: int) -> int:
    """Reattach to the session of `job_shell`."""
    return _session(login, sessions, ATTACH, ())


def _session(login: Login | None, sessions: int, script: str, argv: Sequence[str]) -> int:
    command = ["/bin/sh", "-c", START, "sh", script, NAME, *argv]
    if login is None:
        return subprocess.run(command, check=False).returncode
    return _run_interactive(login, sessions, "exec " + shlex.join(command))


def _run_interactive(login: Login, sessions: int, command: str) -> int:
    """Run a command on the site in this terminal; raise RunError without a free session or on a lost connection."""
    argv = [*login.session_argv("-tt"), *([command] if command else [])]
    with session_slot(login, sessions):
        status = subprocess.run(argv, check=False).returncode
    if status == CONNECTION_LOST or status < 0:
        raise login.lost()
    return status


def check_terminal(what: str) -> None:
    """Raise RunError where standard input or output is not a terminal."""
    if not (os.isatty(0) and os.isatty(1)):
        raise RunError(f"{what} needs a terminal", "run it in a terminal")
