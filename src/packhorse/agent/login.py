"""The environment of a login shell: on many sites a plain command sees neither its scheduler nor its modules."""

import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import time

from packhorse.agent.paths import make_folders, raw

LOGIN_SECONDS = 30  # for a login shell to say its environment
LOGIN_OLD = 86400  # seconds after which it is asked again
SHELLS = ("bash", "sh", "zsh", "ksh", "dash")
PROBE = "import os,sys,json;print(sys.argv[1]+json.dumps(dict(os.environ)))"
# What makes programs be found and work. Nothing else is kept: it may hold secrets.
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
    """Return what a login shell of the user sets, remembered for a day."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    cache = os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "packhorse")
    path = os.path.join(cache, "login-%s.json" % socket.gethostname())
    found = remembered(path)
    if found is None:
        found = asked()
        if found:
            remember(path, found)
    return found


def remembered(path):
    """Return what was asked within a day, or None."""
    try:
        about = os.stat(path)
        if about.st_uid == os.getuid() and 0 <= time.time() - about.st_mtime < LOGIN_OLD:
            with open(path) as stream:
                return json.load(stream)
    except (OSError, ValueError):
        pass
    return None


def remember(path, found):
    """Keep it in a private file; where that cannot be, it is asked again next time."""
    try:
        make_folders(raw(os.path.dirname(path)), 0o700)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(found, stream)
        os.rename(path + ".new", path)
    except OSError:
        pass


def asked():
    """Ask the user's login shell, behind a mark, since its files may print what they like; {} where it says nothing."""
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
