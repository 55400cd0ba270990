"""Files over a session with a login node: sent whole or not at all, fetched from any byte on, checked by SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from packhorse.model.errors import RunError
from packhorse.run.far import Session

BLOCK = 1 << 20
PUT_SECONDS = 600.0  # for a slow file system to write what was sent
Told = Callable[[int], None]  # how many bytes more have gone or come


def put(
    session: Session, folder: str, files: Sequence[tuple[str, Path, int]], told: Told | None = None
) -> dict[str, Any]:
    """Send files ((name there, path here, bytes that are there already)) into a folder, and return the answer.

    Raises RunError where one changes meanwhile, does not come as it was sent, or cannot be written.
    """
    heads: list[list[Any]] = []
    for name, source, offset in files:
        about = source.stat()
        size = about.st_size
        heads.append([name, size, min(offset, size), about.st_mode & 0o777, about.st_mtime])
    number = session.send("put", path=folder, files=heads, much=True)
    for (_, source, _), (_, size, offset, _, _) in zip(files, heads, strict=True):
        _send(session, source, (size, offset), told)
    return session.result(number, PUT_SECONDS)


def _send(session: Session, source: Path, span: tuple[int, int], told: Told | None) -> None:
    """Send a file's bytes from the offset on, and the digest of all."""
    size, offset = span
    total, at = hashlib.sha256(), 0
    with source.open("rb") as stream:
        while at < size:
            # Up to the offset it is only hashed, and then no block may reach over it.
            block = stream.read(min(BLOCK, (offset if at < offset else size) - at))
            if not block:
                raise RunError(
                    f"{source} became shorter while it was sent", "the same command sends it again"
                )
            total.update(block)
            if at >= offset:
                session.write(block)
                if told:
                    told(len(block))
            at += len(block)
    session.write(total.digest())


def give(
    session: Session, folder: str, files: Sequence[tuple[str, int]]
) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Yield files from an offset on ((name there, offset)): what is told of each, and its bytes, to be read whole.

    A file that is not there has the size -1. Raises RunError at the end of one that did not come as it was sent.
    """
    number = session.send("give", path=folder, files=[list(one) for one in files])
    session.settle(before=number)
    for _ in files:
        head: dict[str, Any] = json.loads(session.line())
        if "id" in head:  # something went wrong before the first file
            session.waiting[head.pop("id")] = head
            break
        yield head, _checked(session, head) if head["size"] >= 0 else iter(())
    session.result(number)


def _checked(session: Session, head: dict[str, Any]) -> Iterator[bytes]:
    total = hashlib.sha256()
    for block in session.raw(head["size"]):
        total.update(block)
        yield block
    if b"".join(session.raw(32)) != total.digest():
        raise RunError(f"{head['name']} did not come as it was sent", "the same command goes on")
