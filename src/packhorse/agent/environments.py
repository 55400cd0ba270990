"""Environments on a site: whether one is whole, building one under a claim, and removing what is not wanted."""

import errno
import json
import os
import shutil
import socket
import subprocess
import sys

from packhorse.agent.paths import Refused, expanded, make_folders, raw, said

WHOLE = b"packhorse-environment.json"  # in an environment that is whole; written last
CLAIM = b".new"  # the ending of the folder in which one is built
LOG = b".log"
TAIL = 4000  # bytes of a log
GONE = b".gone-"  # in the name of what is being removed


def environment(wire, path):
    """Tell how an environment stands: what is known of it where it is whole, and how its building goes."""
    top = expanded(path, wire.environ)
    claim = top + CLAIM
    answer = {"path": said(top), "whole": content(os.path.join(top, WHOLE)), "claimed": os.path.isdir(claim)}
    if answer["whole"]:
        answer["changed"] = changed(answer["whole"])
    if answer["claimed"]:
        answer["alive"] = content(os.path.join(claim, b"alive.json"))
        answer["failed"] = content(os.path.join(claim, b"failed.json"))
        answer["job"] = content(os.path.join(claim, b"job.json"))
        for process in wire.started:
            process.poll()  # one that has ended stays in sight until somebody asks
        answer["gone"] = is_gone(answer["alive"])
        answer["received"] = extent(claim)[0]  # grows while files are sent, before anybody builds
    answer["tail"] = tail(top + LOG)
    return answer


def changed(whole):
    """Tell whether packages came to or went from a whole environment after it was asked for them."""
    try:
        return any(os.stat(raw(path)).st_mtime_ns != mark for path, mark in whole.get("marks", []))
    except OSError:
        return True


def is_gone(alive):
    """Tell whether the builder ran on this very machine and is no more."""
    if not alive or alive.get("host") != socket.gethostname():
        return False
    try:
        os.kill(alive["pid"], 0)
    except OSError as error:
        return error.errno == errno.ESRCH
    return False


def content(path):
    """Return what a small JSON file says, None where there is none or half of one."""
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
    """Claim the building of an environment, and make the folder for what it takes; tell whether it is ours to build."""
    top = expanded(path, wire.environ)
    make_folders(os.path.dirname(top), 0o700)
    try:
        os.mkdir(top + CLAIM, 0o700)
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        return {"ours": False, "folder": said(top + CLAIM)}
    if content(os.path.join(top, WHOLE)):  # somebody was quicker, and has ended meanwhile
        remove(top + CLAIM)
        return {"ours": False, "folder": said(top + CLAIM)}
    return {"ours": True, "folder": said(top + CLAIM)}


def build(wire, path, source, orders):
    """Write the builder and its orders into our claim; start it, unless a job will, as a process that outlives us."""
    top = expanded(path, wire.environ)
    claim = top + CLAIM
    orders = dict(orders, final=said(top), claim=said(claim), log=said(top + LOG))
    keep(os.path.join(claim, b"build.py"), source)
    keep(os.path.join(claim, b"orders.json"), json.dumps(orders))
    argv = [sys.executable, "-S", "-E", said(claim) + "/build.py", said(claim)]
    if not orders.get("job"):
        environ = wire.loaded or wire.environ
        process = subprocess.Popen(
            [raw(word) for word in argv],
            env={raw(name): raw(value) for name, value in environ.items()},
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
    return {"argv": argv, "log": said(top + LOG)}


def keep(path, text):
    """Write a private file, whole or not at all."""
    with os.fdopen(os.open(path + b".part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        stream.write(raw(text))
    os.rename(path + b".part", path)


def note_job(wire, path, job):
    """Write down which job builds an environment."""
    claim = expanded(path, wire.environ) + CLAIM
    keep(os.path.join(claim, b"job.json"), json.dumps(job))
    return {}


def release(wire, path):
    """Take a claim away whose builder failed or is no more; tell whether it was us who took it."""
    return {"taken": remove(expanded(path, wire.environ) + CLAIM)}


def remove(path):
    """Remove a folder with all that is in it: first its name, at once, so that nobody takes half of it for whole."""
    away = path + GONE + raw("%s-%d" % (socket.gethostname(), os.getpid()))
    try:
        os.rename(path, away)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    shutil.rmtree(away, ignore_errors=True)
    return True


def environments(wire, path):
    """List the environments in a folder: name, size, number of files, and what is known of each."""
    top, rows = expanded(path, wire.environ), []
    for name in sorted(os.listdir(top)) if os.path.isdir(top) else ():
        full = os.path.join(top, name)
        if os.path.isdir(full) and not os.path.islink(full):
            size, files = extent(full)
            whole = content(os.path.join(full, WHOLE))
            rows.append({"name": said(name), "bytes": size, "files": files, "whole": whole})
    return {"path": said(top), "rows": rows}


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
    """Remove one environment, and its log."""
    if "/" in name or name in ("", ".", ".."):
        raise Refused("%s is no environment" % name)
    top = expanded(path, wire.environ)
    full = os.path.join(top, raw(name))
    taken = remove(full)
    try:
        os.unlink(full + LOG)
    except OSError:
        pass
    return {"taken": taken}
