"""Answering the requests of a laptop on a login node: lines of JSON, each followed by the raw bytes it announces.

It is sent through the connection (see `packhorse.ssh.session`), so that no installation is needed, and ends with it.
"""

import errno
import json
import os
import platform
import pwd
import signal
import socket
import sys
import time

from packhorse.agent import environments, files, runs, software
from packhorse.agent.commands import output_of
from packhorse.agent.login import login_environment
from packhorse.agent.paths import BLOCK, RequestRefused, expanded, find_program, mounted, to_bytes, to_text


class Wire(object):
    """The connection to the laptop, and the environment of the commands that it requests."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.environ = dict(os.environ)
        self.environ["LC_ALL"] = "C"
        self.environ.pop("LANGUAGE", None)
        self.loaded = None  # the environment after modules were loaded, if some were
        self.started = []  # processes that outlive this session

    def answer(self, value, data=b""):
        """Write one reply."""
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
        """Yield the next `size` bytes in blocks."""
        while size:
            block = self.source.read(min(size, BLOCK))
            if not block:
                raise SystemExit(1)  # the connection is closed
            size -= len(block)
            self.left -= len(block)
            yield block

    def skip(self):
        """Read and discard the rest."""
        for _ in self.blocks(self.left):
            pass


def serve(wire):
    """Answer requests until the laptop closes the connection."""
    while True:
        line = wire.source.readline()
        if not line:
            return
        request = json.loads(line.decode("ascii"))
        number = request.pop("id")
        try:
            answer = VERBS[request.pop("do")](wire, **request)
        except RequestRefused as error:
            answer = {"wrong": str(error)}
        except OSError as error:
            where = error.filename
            where = to_text(where) if isinstance(where, bytes) else where
            answer = {
                "wrong": "%s: %s" % (where, error.strerror) if where else str(error),
                "errno": error.errno,
            }
        wire.answer(dict(answer, id=number))


def hello(wire, programs, paths=()):
    """Return user, host and programs; use a login shell's environment if a program is not on the PATH."""
    login = False
    if not all(find_program(name, wire.environ) for name in programs):
        found = login_environment(wire.environ)
        if found:
            wire.environ.update(found)
            login = True
    about = pwd.getpwuid(os.getuid())
    return {
        "user": about.pw_name,
        "home": to_text(os.path.realpath(to_bytes(about.pw_dir))),
        "host": socket.gethostname(),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": sys.executable,
        "version": platform.python_version(),
        "login": login,
        "programs": {name: find_program(name, wire.environ) for name in programs},
        "paths": [place(wire, path) for path in paths],
        "time": time.time(),
    }


def place(wire, path):
    """Return the absolute path of one with ~ and variables, and how much may be written there."""
    full = expanded(path, wire.environ, strict=True)
    if full is None:
        return {"said": path, "path": "", "why": "a variable in it is not set"}
    parent = full
    while not os.path.isdir(parent) and parent != os.path.dirname(parent):
        parent = os.path.dirname(parent)
    stats, (kind, device, mount) = os.statvfs(parent), mounted(parent)
    return {
        "said": path,
        "path": to_text(full),
        "exists": os.path.isdir(full),
        "writable": os.access(parent, os.W_OK | os.X_OK),
        "free": stats.f_bavail * stats.f_frsize,
        "files": stats.f_favail if stats.f_files else None,
        "kind": kind,
        "device": device,
        "mount": mount,
    }


def run(wire, argv, timeout, env=None, unset=(), folder=None):
    """Run a command; kill its process group after `timeout` seconds."""
    prefixes = tuple(name[:-1] for name in unset if name.endswith("*"))
    environ = {
        name: value
        for name, value in wire.environ.items()
        if name not in unset and not (prefixes and name.startswith(prefixes))
    }
    environ.update(env or {})
    try:
        status, out, err = output_of(argv, environ, timeout, folder)
    except OSError as error:
        why = "not found" if error.errno == errno.ENOENT else "could not be started: %s" % error.strerror
        return {"status": None, "stdout": "", "stderr": "%s: %s" % (argv[0], why)}
    late = "%s: did not answer within %g s\n" % (argv[0], timeout) if status is None else ""
    stdout, stderr = out.decode("utf-8", "replace"), err.decode("utf-8", "replace")
    return {"status": status, "stdout": stdout, "stderr": stderr + late}


def run_loaded(wire, argv, timeout, env=None):
    """Run a command with the loaded modules."""
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
    "loaded": software.loaded,
    "find": software.find,
    "environment": environments.environment,
    "prepare": environments.prepare,
    "build": environments.build,
    "note_job": environments.note_job,
    "release": environments.release,
    "environments": environments.environments,
    "forget": environments.forget,
}


def main():
    """Write the mark that follows whatever the shell's start-up files have printed, and serve."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    target = sys.stdout.buffer
    target.write(b"\n" + to_bytes(sys.argv[1]) + b"\n")
    target.flush()
    try:
        serve(Wire(sys.stdin.buffer, target))
    except (OSError, KeyboardInterrupt):
        sys.exit(1)
