"""Environments on a site: their state, building one under a claim, and removal."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys

from packhorse.agent.paths import RequestRefused, expanded, make_folders, to_bytes, to_text

WHOLE = b"packhorse-environment.json"  # in a complete environment; written last
CLAIM = b".new"  # the ending of the folder in which one is built
LOG = b".log"
TAIL = 4000  # bytes of a log
GONE = b".gone-"  # in the name of what is being removed


def environment(wire, path):
    """Return the state of an environment: its content if it is complete, and the progress of its build."""
    top = expanded(path, wire.environ)
    claim = top + CLAIM
    answer = {
        "path": to_text(top),
        "whole": content(os.path.join(top, WHOLE)),
        "claimed": os.path.isdir(claim),
    }
    if answer["whole"]:
        answer["changed"] = changed(answer["whole"])
    if answer["claimed"]:
        answer["alive"] = content(os.path.join(claim, b"alive.json"))
        answer["failed"] = content(os.path.join(claim, b"failed.json"))
        answer["job"] = content(os.path.join(claim, b"job.json"))
        for process in wire.started:
            process.poll()  # reap it: a process that has ended stays a zombie until then
        answer["gone"] = is_gone(answer["alive"])
        answer["received"] = extent(claim)[0]  # grows while files are uploaded, before the build starts
    answer["tail"] = tail(top + LOG)
    return answer


def changed(whole):
    """Return whether packages were added to or removed from a complete environment after they were listed."""
    try:
        return any(os.stat(to_bytes(path)).st_mtime_ns != mark for path, mark in whole.get("marks", []))
    except OSError:
        return True


def is_gone(alive):
    """Return whether the builder ran on this machine and no longer runs."""
    if not alive or alive.get("host") != socket.gethostname():
        return False
    try:
        os.kill(alive["pid"], 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False


def content(path):
    """Return the value of a JSON file, or None if it is missing or incomplete."""
    try:
        with open(path, "rb") as stream:
            return json.loads(stream.read().decode("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        return None


def tail(path):
    """Return the end of a log."""
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - TAIL))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


def prepare(wire, path):
    """Claim the build of an environment by making its claim folder; return whether the claim is ours."""
    top = expanded(path, wire.environ)
    make_folders(os.path.dirname(top), 0o700)
    try:
        os.mkdir(top + CLAIM, 0o700)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        return {"ours": False, "folder": to_text(top + CLAIM)}
    if content(os.path.join(top, WHOLE)):  # another process was faster, and has finished
        remove(top + CLAIM)
        return {"ours": False, "folder": to_text(top + CLAIM)}
    return {"ours": True, "folder": to_text(top + CLAIM)}


def build(wire, path, source, orders):
    """Write the builder and its orders into our claim; start it as a process that outlives us, unless a job will."""
    top = expanded(path, wire.environ)
    claim = top + CLAIM
    orders = dict(orders, final=to_text(top), claim=to_text(claim), log=to_text(top + LOG))
    keep(os.path.join(claim, b"build.py"), source)
    keep(os.path.join(claim, b"orders.json"), json.dumps(orders))
    argv = [sys.executable, "-S", "-E", to_text(claim) + "/build.py", to_text(claim)]
    if not orders.get("job"):
        environ = wire.loaded or wire.environ
        process = subprocess.Popen(
            [to_bytes(word) for word in argv],
            env={to_bytes(name): to_bytes(value) for name, value in environ.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            close_fds=True,
        )
        wire.started.append(process)
        keep(
            os.path.join(claim, b"alive.json"),
            json.dumps({"host": socket.gethostname(), "pid": process.pid, "beat": 0}),
        )
    return {"argv": argv, "log": to_text(top + LOG)}


def keep(path, text):
    """Write a private file atomically."""
    with os.fdopen(os.open(path + b".part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(to_bytes(text))
    os.rename(path + b".part", path)


def note_job(wire, path, job):
    """Write which job builds an environment."""
    claim = expanded(path, wire.environ) + CLAIM
    keep(os.path.join(claim, b"job.json"), json.dumps(job))
    return {}


def release(wire, path):
    """Remove the claim of a builder that failed or no longer runs; return whether we removed it."""
    return {"taken": remove(expanded(path, wire.environ) + CLAIM)}


def remove(path):
    """Remove a folder; it is renamed first, so that no process takes a part of it for the whole."""
    away = path + GONE + to_bytes("%s-%d" % (socket.gethostname(), os.getpid()))
    try:
        os.rename(path, away)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    shutil.rmtree(away, ignore_errors=True)
    return True


def environments(wire, path):
    """Return the environments in a folder: name, size, number of files, and content of each."""
    top, rows = expanded(path, wire.environ), []
    for name in sorted(os.listdir(top)) if os.path.isdir(top) else ():
        full = os.path.join(top, name)
        if os.path.isdir(full) and not os.path.islink(full):
            size, files = extent(full)
            whole = content(os.path.join(full, WHOLE))
            rows.append({"name": to_text(name), "bytes": size, "files": files, "whole": whole})
    return {"path": to_text(top), "rows": rows}


def extent(path):
    """Return the bytes and the number of files and folders below a folder."""
    size = files = 0
    for folder, _, names in os.walk(path):
        files += 1 + len(names)
        for name in names:
            try:
                size += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                pass
    return size, files


def forget(wire, path, name):
    """Remove one environment and its log."""
    if "/" in name or name in ("", ".", ".."):
        raise RequestRefused("%s is not the name of an environment" % name)
    top = expanded(path, wire.environ)
    full = os.path.join(top, to_bytes(name))
    taken = remove(full)
    try:
        os.unlink(full + LOG)
    except OSError:
        pass
    return {"taken": taken}
