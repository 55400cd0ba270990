"""What a new snapshot has beside an older one: two tars compared member by member, so that only what is new travels."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from packhorse.ssh.session import Session

WORTH = 1 << 18  # bytes of a snapshot below which all of it is sent
Piece = tuple[int, int]  # where in the old tar (-1: nowhere), how many bytes


def send_delta(session: Session, folder: str, old: Path, new: Path) -> int | None:
    """Make a new tar at the other end from the old one there; return the bytes sent, None where that cannot be.

    Both tars are here, and the old one is there under its name.
    """
    about = new.stat()
    if about.st_size < WORTH or not old.is_file():
        return None
    pieces = delta(old, new)
    size = sum(length for offset, length in pieces if offset < 0)
    if size > about.st_size // 2:
        return None
    row = [new.name, about.st_size, about.st_mode & 0o777, about.st_mtime]
    number = session.send("patch", path=folder, old=old.name, row=row, pieces=pieces, much=True)
    total = hashlib.sha256()
    with new.open("rb") as stream:
        for offset, length in pieces:
            block = stream.read(length)
            total.update(block)
            if offset < 0:
                session.write(block)
    session.write(total.digest())
    return size if session.result(number)["made"] else None


def delta(old: Path, new: Path) -> list[Piece]:
    """Return the pieces of which the new tar consists, in order."""
    known = {}
    for offset, length, mark in members(old):
        known[mark] = offset, length
    found: list[Piece] = []
    for _, length, mark in members(new):
        offset = known[mark][0] if mark in known else -1
        before = found[-1] if found else None
        if before and (offset < 0) == (before[0] < 0) and (offset < 0 or before[0] + before[1] == offset):
            found[-1] = before[0], before[1] + length
        else:
            found.append((offset, length))
    return found


def members(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield the place, the length and the SHA-256 of each member with its header, and of what ends the tar."""
    with tarfile.open(path, errors="surrogateescape") as tar:
        begins = [member.offset for member in tar.getmembers()]
    size = path.stat().st_size
    edges = sorted({0, *begins, size})
    with path.open("rb") as stream:
        for begin, end in pairwise(edges):
            stream.seek(begin)
            yield begin, end - begin, hashlib.sha256(stream.read(end - begin)).digest()
