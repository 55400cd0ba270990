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
PART = b".packhorse-part"  # the suffix of a file that is not complete


def part_of(path, size, mtime):
    """Return the path of the part of an incomplete file; another size or mtime makes another part."""
    mark = zlib.crc32(("%d %.3f" % (size, mtime)).encode("ascii"))
    return path + b".%08x" % mark + PART


class RequestRefused(Exception):
    """A request cannot be done; the text is for the user."""


def to_bytes(text):
    """Return a name or path as bytes."""
    return text.encode("utf-8", "surrogateescape")


def to_text(name):
    """Return bytes as text that JSON can hold."""
    return name.decode("utf-8", "surrogateescape")


def expanded(path, environ, strict=False):  # noqa: FBT002 - callers name it
    """Return the absolute path of one with ~ and variables of a login shell.

    A $ is a character of the name if such a file exists, or if the variable is not set; with `strict`, which is for
    storage areas, the result is None in the latter case.
    """
    home = to_bytes(pwd.getpwuid(os.getuid()).pw_dir)
    words = to_bytes(path)
    if words == b"~" or words.startswith(b"~/"):
        words = home + words[1:]
    names = [to_text(found.strip(b"${}")) for found in VARIABLE.findall(words)]
    if names and not os.path.lexists(os.path.join(home, words)):
        if all(environ.get(name) for name in names):
            words = VARIABLE.sub(lambda found: to_bytes(environ[to_text(found.group().strip(b"${}"))]), words)
        elif strict:
            return None
    return os.path.normpath(os.path.join(home, words))


def joined(top, name):
    """Return the path of a name below a folder; raise RequestRefused if it is outside."""
    words = to_bytes(name)
    if not words:
        return top
    if words.startswith(b"/") or b".." in words.split(b"/"):
        raise RequestRefused("%s is not inside the folder" % name)
    return os.path.join(top, words)


def make_folders(path, mode):
    """Make a folder and its parents with a mode."""
    if not os.path.isdir(path):
        make_folders(os.path.dirname(path), mode)
        try:
            os.mkdir(path, mode)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise


def mounted(path, table="/proc/self/mounts"):
    """Return the type, the device and the mount point of a path's file system; empty if the system does not tell."""
    real, found = os.path.realpath(path) + b"/", [b"", b"", b""]
    try:
        with open(table, "rb") as stream:
            lines = stream.read().splitlines()
    except OSError:
        lines = []
    for line in lines:
        words = [ESCAPE.sub(lambda octal: bytes([int(octal.group(1), 8)]), word) for word in line.split()[:3]]
        device, place, kind = words if len(words) == 3 else (b"", b"?", b"")
        if real.startswith(place.rstrip(b"/") + b"/") and len(place) >= len(found[2]):
            found = [kind, device, place]  # of several at one mount point the last one hides the others
    return [to_text(part) for part in found]


def find_program(name, environ):
    """Return the path of a program, or "" if there is none."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""
