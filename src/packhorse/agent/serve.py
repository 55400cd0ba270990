"""Answering a laptop on a login node: lines of JSON, each followed by as many raw bytes as it says.

It travels through the connection itself (see `packhorse.run.far`), so that nothing has to be installed, and ends with it.
"""

import errno
import json
import os
import platform
import pwd
import signal
import socket
import subprocess
import sys
import time

from packhorse.agent import environments, files, runs, surroundings
from packhorse.agent.login import login_environment
from packhorse.agent.paths import BLOCK, Refused, expanded, mounted, raw, said, which


class Wire(object):
    """The laptop at the other end, and the environment in which it is served."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.environ = dict(os.environ)
        self.environ["LC_ALL"] = "C"
        self.environ.pop("LANGUAGE", None)
        self.loaded = None  # the environment that modules left, once somebody loaded some
        self.started = []  # processes that outlive this session

    def answer(self, value, data=b""):
        """Write one answer."""
        self.target.write(json.dumps(dict(value, bytes=len(data))).encode("ascii") + b"\n" + data)
        self.target.flush()

    def body(self, size):
        """Return the raw bytes that follow a request."""
        return Body(self.source, size)


class Body(object):
    """Raw bytes that have not been read yet."""

    def __init__(self, source, left):
        self.source, self.left = source, left

    def blocks(self, size):
        """Yield so many of them."""
        while size:
            block = self.source.read(min(size, BLOCK))
            if not block:
                raise SystemExit(1)  # the laptop is gone
            size -= len(block)
            self.left -= len(block)
            yield block

    def skip(self):
        """Read what is left of them."""
        for _ in self.blocks(self.left):
            pass


def serve(wire):
    """Answer until the laptop has no further question."""
    while True:
        line = wire.source.readline()
        if not line:
            return
        request = json.loads(line.decode("ascii"))
        number = request.pop("id")
        try:
            answer = VERBS[request.pop("do")](wire, **request)
        except Refused as error:
            answer = {"wrong": str(error)}
        except OSError as error:
            where = error.filename
            where = said(where) if isinstance(where, bytes) else where
            answer = {
                "wrong": "%s: %s" % (where, error.strerror) if where else str(error),
                "errno": error.errno,
            }
        wire.answer(dict(answer, id=number))


def hello(wire, programs, paths=()):
    """Tell who and where we are; find a login shell's environment where a program is not on the PATH."""
    login = False
    if not all(which(name, wire.environ) for name in programs):
        found = login_environment(wire.environ)
        if found:
            wire.environ.update(found)
            login = True
    about = pwd.getpwuid(os.getuid())
    return {
        "user": about.pw_name,
        "home": said(os.path.realpath(raw(about.pw_dir))),
        "host": socket.gethostname(),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": sys.executable,
        "version": platform.python_version(),
        "login": login,
        "programs": {name: which(name, wire.environ) for name in programs},
        "paths": [place(wire, path) for path in paths],
        "time": time.time(),
    }


def place(wire, path):
    """Return what a path with ~ and variables means here, and how much may be written there."""
    full = expanded(path, wire.environ, strict=True)
    if full is None:
        return {"said": path, "path": "", "why": "a variable in it is not set"}
    there = full
    while not os.path.isdir(there) and there != os.path.dirname(there):
        there = os.path.dirname(there)
    room, (kind, device, mount) = os.statvfs(there), mounted(there)
    return {
        "said": path,
        "path": said(full),
        "exists": os.path.isdir(full),
        "writable": os.access(there, os.W_OK | os.X_OK),
        "free": room.f_bavail * room.f_frsize,
        "files": room.f_favail if room.f_files else None,
        "kind": kind,
        "device": device,
        "mount": mount,
    }


def run(wire, argv, timeout, env=None, unset=(), folder=None):
    """Run a command to its end; at its timeout its process group is killed."""
    heads = tuple(name[:-1] for name in unset if name.endswith("*"))
    environ = {
        name: value
        for name, value in wire.environ.items()
        if name not in unset and not (heads and name.startswith(heads))
    }
    environ.update(env or {})
    try:
        process = subprocess.Popen(
            [raw(word) for word in argv],
            cwd=raw(folder) if folder else None,
            env={raw(name): raw(value) for name, value in environ.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        why = "not found" if error.errno == errno.ENOENT else "could not be started: %s" % error.strerror
        return {"status": None, "stdout": "", "stderr": "%s: %s" % (argv[0], why)}
    late = ""
    try:
        out, err = process.communicate(timeout=timeout)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        status, late = None, "%s: did not answer within %g s\n" % (argv[0], timeout)
    words = [one.decode("utf-8", "replace") for one in (out, err)]
    return {"status": status, "stdout": words[0], "stderr": words[1] + late}


def run_loaded(wire, argv, timeout, env=None):
    """Run a command among the modules that were loaded."""
    environ = wire.environ if wire.loaded is None else wire.loaded
    return run(wire, argv, timeout, dict(environ, **(env or {})), ("*",))


VERBS = {
    "hello": hello,
    "run": run,
    "look": runs.look,
    "extent": runs.extent_of,
    "remove": runs.remove,
    "list": files.list_files,
    "begun": files.begun,
    "put": files.put,
    "patch": files.patch,
    "give": files.give,
    "name": files.name,
    "digest": files.digest,
    "claim": files.claim,
    "folders": files.folders,
    "drop": files.drop,
    "run_loaded": run_loaded,
    "loaded": surroundings.loaded,
    "find": surroundings.find,
    "environment": environments.environment,
    "prepare": environments.prepare,
    "build": environments.build,
    "note_job": environments.note_job,
    "release": environments.release,
    "environments": environments.environments,
    "forget": environments.forget,
}


def main():
    """Say that we are here, behind whatever a shell's files have printed, and serve."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    target = sys.stdout.buffer
    target.write(b"\n" + raw(sys.argv[1]) + b"\n")
    target.flush()
    try:
        serve(Wire(sys.stdin.buffer, target))
    except (OSError, KeyboardInterrupt):
        sys.exit(1)
