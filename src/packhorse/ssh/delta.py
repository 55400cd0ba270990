"""Upload of a snapshot as its difference from an older one: two tars are compared member by member."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from packhorse.ssh.session import Session

SMALLEST = 1 << 18  # bytes; a smaller snapshot is uploaded whole
Piece = tuple[int, int]  # (offset in the old tar, or -1 for new bytes; length in bytes)


def send_delta(session: Session, folder: str, old: Path, new: Path) -> int | None:
    """Create a new tar on the site from the old one there; return the bytes uploaded, or None where that is impossible.

    Both tars exist locally, and the old one has the same name on the site. None also means that too little is saved.
    """
    status = new.stat()
    if status.st_size < SMALLEST or not old.is_file():
        return None
    pieces = delta(old, new)
    size = sum(length for offset, length in pieces if offset < 0)
    if size > status.st_size // 2:
        return None
    row = [new.name, status.st_size, status.st_mode & 0o777, status.st_mtime]
    number = session.send("patch", path=folder, old=old.name, row=row, pieces=pieces, raw_follows=True)
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
    """Return the pieces that make up the new tar, in order."""
    old_offsets = {digest: offset for offset, _, digest in members(old)}
    pieces: list[Piece] = []
    for _, length, digest in members(new):
        offset = old_offsets.get(digest, -1)
        before = pieces[-1] if pieces else None
        if before and (offset < 0) == (before[0] < 0) and (offset < 0 or before[0] + before[1] == offset):
            pieces[-1] = before[0], before[1] + length
        else:
            pieces.append((offset, length))
    return pieces


def members(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield offset, length and SHA-256 of each member with its header, and of the end of the tar."""
    with tarfile.open(path, errors="surrogateescape") as tar:
        begins = [member.offset for member in tar.getmembers()]
    size = path.stat().st_size
    edges = sorted({0, *begins, size})
    with path.open("rb") as stream:
        for begin, end in pairwise(edges):
            stream.seek(begin)
            yield begin, end - begin, hashlib.sha256(stream.read(end - begin)).digest()
