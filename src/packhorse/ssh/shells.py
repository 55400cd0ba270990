"""A shell at a site, in this terminal: on the login node, or in a job, kept there by tmux or screen."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence

from packhorse.model.errors import RunError
from packhorse.ssh.login import Login
from packhorse.ssh.session_slots import session_slot

LOST = 255  # of ssh: the connection, not the command
NAME = "packhorse"  # of the session of tmux or screen
# What the texts below say by their exit status, beside that of what ran.
OPEN, DETACHED, ELSEWHERE, NONE = 240, 241, 242, 243

# Nothing here has a single quote, a newline or an exclamation mark, so that it stands within single quotes for any login
# shell. The login shell's files say where the scheduler is; csh and fish do not take what follows, so bash does.
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
    'else echo "note: no tmux and no screen here, so a line that is cut ends the job" >&2; "$@"; fi; '
    'r=$?; left; rm -f "$f"; exit $r'
)
ATTACH = (
    f'{HERE}{SESSION}if tmuxed; then tmux attach-session -d -t "$0"; elif screened; then screen -d -r "$0"; '
    f'elif [ -s "$f" ]; then h=$(cat "$f"); n=$(hostname); if [ "$h" = "$n" ]; then rm -f "$f"; exit {NONE}; fi; '
    f'echo "The session is on $h, and this connection leads to $n." >&2; exit {ELSEWHERE}; '
    f'else exit {NONE}; fi; r=$?; left; rm -f "$f"; exit $r'
)


def login_shell(login: Login, sessions: int) -> int:
    """Give a shell on the login node; return its exit status."""
    return _typed(login, sessions, "")


def job_shell(login: Login | None, sessions: int, argv: Sequence[str]) -> int:
    """Give a shell inside a job, in a session that a cut line does not end; None: this is the login node."""
    return _session(login, sessions, JOB, argv)


def attach(login: Login | None, sessions: int) -> int:
    """Return to the session of `job_shell`."""
    return _session(login, sessions, ATTACH, ())


def _session(login: Login | None, sessions: int, text: str, argv: Sequence[str]) -> int:
    words = ["/bin/sh", "-c", START, "sh", text, NAME, *argv]
    if login is None:
        return subprocess.run(words, check=False).returncode
    return _typed(login, sessions, "exec " + shlex.join(words))


def _typed(login: Login, sessions: int, command: str) -> int:
    """Run a command there in this terminal; raise RunError where no session is to be had, or the line was cut."""
    argv = [*login.session_argv("-tt"), *([command] if command else [])]
    with session_slot(login, sessions):
        status = subprocess.run(argv, check=False).returncode
    if status == LOST or status < 0:
        raise login.lost()
    return status


def check_terminal(what: str) -> None:
    """Raise RunError where there is no terminal to type in."""
    if not (os.isatty(0) and os.isatty(1)):
        raise RunError(f"{what} needs a terminal", "type it in one")
