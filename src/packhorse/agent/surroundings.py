"""What tasks would find on a login node: programs and Pythons, also those that modules bring."""

import json
import os
import signal
import subprocess
import sys

from packhorse.agent.paths import raw, which

LOADING_SECONDS = 60  # for a login shell and its modules
PYTHON_SECONDS = 20  # for a Python to tell its version; a first start from a busy file system can be slow
SAYS = "import os,sys,json;print(sys.argv[1]+json.dumps(dict(os.environ)))"
ABOUT = (
    "import sys,json,platform,importlib.util as u;l=platform.libc_ver();"
    "print('@packhorse '+json.dumps({'python':sys.executable,'version':platform.python_version(),"
    "'implementation':platform.python_implementation(),'machine':platform.machine(),'libc':l[0]+' '+l[1],"
    "'venv':bool(u.find_spec('venv') and u.find_spec('ensurepip'))}))"
)
# On the PATH by name; platform-python is the one of RHEL 8 that is always there.
NAMES = ("python3", "python") + tuple("python3.%d" % minor for minor in range(6, 20))
PLACES = ("/usr/libexec/platform-python",)
# What a shell sets for itself.
OWN = ("_", "SHLVL", "PWD", "OLDPWD")


def loaded(wire, lines):
    """Run lines of a job's beginning in a login shell, and keep the environment that they leave, for `find` and `run`.

    Without lines the plain environment counts again.
    """
    wire.loaded = None
    if not lines:
        return {"status": 0, "said": []}
    mark = "@packhorse-%d " % os.getpid()
    say = " ".join(
        "'%s'" % word.replace("'", "'\\''") for word in (sys.executable, "-S", "-E", "-c", SAYS, mark)
    )
    text = "\n".join(["set -e"] + list(lines) + ["exec " + say])
    process = subprocess.Popen(
        [b"bash", b"-l", b"-c", raw(text)],
        env={raw(name): raw(value) for name, value in wire.environ.items()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=LOADING_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    before, _, values = out.decode("utf-8", "surrogateescape").rpartition(mark)
    words = (before + err.decode("utf-8", "replace")).strip().splitlines()[-12:]
    if process.returncode or not values:
        return {"status": process.returncode, "said": words}
    wire.loaded = {name: value for name, value in json.loads(values).items() if name not in OWN}
    wire.loaded["LC_ALL"] = "C"
    return {"status": 0, "said": words}


def find(wire, programs, pythons, more=()):
    """Tell where programs are, and which Pythons there are, `more` among them; each with what it says of itself."""
    environ = wire.loaded or wire.environ
    found = {name: which(name, environ) for name in programs}
    rows = []
    if pythons:
        places = [which(name, environ) for name in NAMES]
        asked = {}
        for place in [which(one, environ) if "/" not in one else one for one in more] + places + list(PLACES):
            real = os.path.realpath(raw(place)) if place else b""
            if place and real not in asked and os.access(raw(place), os.X_OK):
                asked[real] = None
                about = python_about(place, environ)
                if about:
                    asked[real] = dict(about, called=place)
        rows = [one for one in asked.values() if one]
    return {"programs": found, "pythons": rows}


def python_about(python, environ):
    """Return what a Python says of itself, None where it does not start or is older than 3.6."""
    try:
        done = subprocess.Popen(
            [raw(python), b"-c", raw(ABOUT)],
            env={raw(name): raw(value) for name, value in environ.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return None
    try:
        out = done.communicate(timeout=PYTHON_SECONDS)[0]
    except subprocess.TimeoutExpired:
        os.killpg(done.pid, signal.SIGKILL)
        done.communicate()
        return None
    said = out.decode("utf-8", "replace").rpartition("@packhorse ")[2]
    try:
        return json.loads(said) if done.returncode == 0 else None
    except ValueError:
        return None
