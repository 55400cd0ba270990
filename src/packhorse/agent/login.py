"""The environment of a login shell: on many sites a plain command sees neither its scheduler nor its modules."""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time

from packhorse.agent.paths import make_folders, to_bytes

LOGIN_SECONDS = 30  # for a login shell to print its environment
LOGIN_OLD = 86400  # seconds after which a stored environment is read again
SHELLS = ("bash", "sh", "zsh", "ksh", "dash")
PROBE = "import os,sys,json;print(sys.argv[1]+json.dumps(dict(os.environ)))"
# Variables by which programs are found and work. No other variable is stored: it may hold a secret.
KEPT = (
    "PATH",
    "LD_LIBRARY_PATH",
    "MANPATH",
    "MODULEPATH",
    "MODULESHOME",
    "MODULES_CMD",
    "LOADEDMODULES",
    "_LMFILES_",
)
KEPT_HEADS = ("LMOD_", "SLURM_CONF", "PBS_", "TORQUE", "MODULE_VERSION")


def login_environment(environ):
    """Return the environment of the user's login shell, which is stored for a day."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    cache = os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "packhorse")
    path = os.path.join(cache, "login-%s.json" % socket.gethostname())
    found = read_stored(path)
    if found is None:
        found = shell_environment()
        if found:
            store(path, found)
    return found


def read_stored(path):
    """Return the stored environment, or None if it is missing or older than a day."""
    try:
        about = os.stat(path)
        if about.st_uid == os.getuid() and 0 <= time.time() - about.st_mtime < LOGIN_OLD:
            with open(path) as stream:
                return json.load(stream)
    except (OSError, ValueError):
        pass
    return None


def store(path, found):
    """Store the environment in a private file; if that fails, the shell runs again next time."""
    try:
        make_folders(to_bytes(os.path.dirname(path)), 0o700)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(found, stream)
        os.rename(path + ".new", path)
    except OSError:
        pass


def shell_environment():
    """Run the user's login shell and return its environment; {} if it prints none.

    The environment follows a mark, since the start-up files of the shell may print anything.
    """
    mark = "packhorse-login-%d" % os.getpid()
    words = [sys.executable, "-S", "-E", "-c", PROBE, mark]
    line = "exec " + " ".join("'%s'" % word.replace("'", "'\\''") for word in words)
    shell = pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    shell = shell if os.path.basename(shell) in SHELLS else "/bin/bash"
    try:
        process = subprocess.Popen(
            [shell, "-l", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            out = process.communicate(timeout=LOGIN_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {}
        values = json.loads(out.decode("utf-8", "surrogateescape").rpartition(mark)[2])
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in values.items() if name in KEPT or name.startswith(KEPT_HEADS)}
