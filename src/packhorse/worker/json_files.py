"""Small files of the run directory: read as JSON, written so that a reader sees the old content or the new one."""

import binascii
import json
import os


def read_json(path):
    """Return a file's JSON value, or None where there is no such file."""
    try:
        with open(path, "rb") as stream:
            return json.loads(stream.read().decode("utf-8"))
    except FileNotFoundError:
        return None


def write_json(path, value):
    """Replace a file: another name in the same folder, fsync, rename, fsync of the folder."""
    folder, name = os.path.split(path)
    private = os.path.join(folder, ".%s.%s" % (name, binascii.hexlify(os.urandom(4)).decode()))
    with open(private, "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(json.dumps(value, separators=(",", ":")).encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(private, path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
