"""Paths and programs on a login node. All paths are bytes: names need not be UTF-8.

Python 3.6 in the C locale could not even name those that are.
"""

import errno
import os
import pwd
import re
import zlib

BLOCK = 1 << 16  # what a pipe holds; blocks of 1 MiB, which no cache holds, took three times the time
ESCAPE = re.compile(rb"\\([0-7]{3})")  # of a space, for instance, in the table of mounts
VARIABLE = re.compile(rb"\$(?:\w+|\{\w+\})")
PART = b".packhorse-part"  # the ending of a file that has not come whole


def part_of(path, size, mtime):
    """Return where a file stands that has not come whole; of another size or age it is another file's part."""
    mark = zlib.crc32(("%d %.3f" % (size, mtime)).encode("ascii"))
    return path + b".%08x" % mark + PART


class Refused(Exception):
    """What cannot be done, in a sentence for the user."""


def raw(text):
    """Return a name or path as bytes."""
    return text.encode("utf-8", "surrogateescape")


def said(name):
    """Return bytes as JSON can carry them."""
    return name.decode("utf-8", "surrogateescape")


def expanded(path, environ, strict=False):  # noqa: FBT002 - Python 3.6 has no better word for it
    """Return an absolute path for one with ~ and variables of a login shell.

    A $ may also be a character of a name: of one that is there, and where no such variable is set (with `strict`, which
    is for areas, None is returned then).
    """
    home = raw(pwd.getpwuid(os.getuid()).pw_dir)
    words = raw(path)
    if words == b"~" or words.startswith(b"~/"):
        words = home + words[1:]
    names = [said(found.strip(b"${}")) for found in VARIABLE.findall(words)]
    if names and not os.path.lexists(os.path.join(home, words)):
        if all(environ.get(name) for name in names):
            words = VARIABLE.sub(lambda found: raw(environ[said(found.group().strip(b"${}"))]), words)
        elif strict:
            return None
    return os.path.normpath(os.path.join(home, words))


def joined(top, name):
    """Return the path of a name under a folder; one that would leave it is refused."""
    words = raw(name)
    if not words:
        return top
    if words.startswith(b"/") or b".." in words.split(b"/"):
        raise Refused("%s is not inside the folder" % name)
    return os.path.join(top, words)


def make_folders(path, mode):
    """Make a folder and those above it, as private as asked."""
    if not os.path.isdir(path):
        make_folders(os.path.dirname(path), mode)
        try:
            os.mkdir(path, mode)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise


def mounted(path, table="/proc/self/mounts"):
    """Return the kind, the device and the place of the file system that a path is on; empty where nobody tells."""
    real, found = os.path.realpath(path) + b"/", [b"", b"", b""]
    try:
        with open(table, "rb") as stream:
            lines = stream.read().splitlines()
    except OSError:
        lines = []
    for line in lines:
        words = [ESCAPE.sub(lambda one: bytes([int(one.group(1), 8)]), word) for word in line.split()[:3]]
        device, place, kind = words if len(words) == 3 else (b"", b"?", b"")
        if real.startswith(place.rstrip(b"/") + b"/") and len(place) >= len(found[2]):
            found = [kind, device, place]  # of several at one place the last lies on top
    return [said(one) for one in found]


def which(name, environ):
    """Return the path of a program, "" where there is none."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""
