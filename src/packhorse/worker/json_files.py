"""Small JSON files of the run directory, replaced atomically: a reader sees the old content or the new content."""

import binascii
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_json(path: str) -> "Any":
    """Return the JSON value of a file, or None if the file does not exist."""
    try:
        with open(path, "rb") as stream:
            return json.loads(stream.read().decode("utf-8"))
    except FileNotFoundError:
        return None


def write_json(path: str, value: "Any") -> None:
    """Replace a file: write to a temporary name in the same folder, fsync, rename, fsync the folder."""
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, ".%s.%s" % (name, binascii.hexlify(os.urandom(4)).decode()))
    with open(temporary, "wb") as stream:
        os.fchmod(stream.fileno(), 0o600)
        stream.write(json.dumps(value, separators=(",", ":")).encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
