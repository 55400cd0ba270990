"""Programs and Pythons on a login node, also those that modules make available."""

import json
import os
import sys

from packhorse.agent.commands import output_of
from packhorse.agent.paths import find_program, to_bytes

LOADING_SECONDS = 60  # for a login shell and its modules
PYTHON_SECONDS = 20  # for a Python to print its version; a first start from a busy file system can be slow
PRINT_ENVIRONMENT = "import os,sys,json;print(sys.argv[1]+json.dumps(dict(os.environ)))"
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
    """Run the first lines of a job in a login shell, and use the environment after them for `find` and `run_loaded`.

    Without lines, the environment of the session is used again.
    """
    wire.loaded = None
    if not lines:
        return {"status": 0, "said": []}
    mark = "@packhorse-%d " % os.getpid()
    say = " ".join(
        "'%s'" % word.replace("'", "'\\''")
        for word in (sys.executable, "-S", "-E", "-c", PRINT_ENVIRONMENT, mark)
    )
    text = "\n".join(["set -e"] + list(lines) + ["exec " + say])
    status, out, err = output_of(["bash", "-l", "-c", text], wire.environ, LOADING_SECONDS)
    before, _, values = out.decode("utf-8", "surrogateescape").rpartition(mark)
    rows = (before + err.decode("utf-8", "replace")).strip().splitlines()[-12:]
    if status != 0 or not values:
        return {"status": status, "said": rows}
    wire.loaded = {name: value for name, value in json.loads(values).items() if name not in OWN}
    wire.loaded["LC_ALL"] = "C"
    return {"status": 0, "said": rows}


def find(wire, programs, pythons, more=()):
    """Return the paths of programs, and the Pythons, those in `more` included, each with its description."""
    environ = wire.loaded or wire.environ
    found = {name: find_program(name, environ) for name in programs}
    rows = []
    if pythons:
        places = [find_program(name, environ) for name in NAMES]
        asked = {}
        for place in (
            [find_program(name, environ) if "/" not in name else name for name in more]
            + places
            + list(PLACES)
        ):
            real = os.path.realpath(to_bytes(place)) if place else b""
            if place and real not in asked and os.access(to_bytes(place), os.X_OK):
                asked[real] = None
                about = python_about(place, environ)
                if about:
                    asked[real] = dict(about, called=place)
        rows = [about for about in asked.values() if about]
    return {"programs": found, "pythons": rows}


def python_about(python, environ):
    """Return the description of a Python, or None if it does not start or is older than 3.6."""
    try:
        status, out, _ = output_of([python, "-c", ABOUT], environ, PYTHON_SECONDS)
    except OSError:
        return None
    text = out.decode("utf-8", "replace").rpartition("@packhorse ")[2]
    try:
        return json.loads(text) if status == 0 else None
    except ValueError:
        return None
