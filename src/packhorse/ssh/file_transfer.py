"""Files over a session with a login node: sent whole or not at all, fetched from any byte on, checked by SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from packhorse.agent.paths import part_of as named
from packhorse.model.errors import RunError
from packhorse.ssh.replies import FileHeader, check_reply, malformed_reply
from packhorse.ssh.rsync import pull, push, worth_rsync
from packhorse.ssh.session import Session

BLOCK = 1 << 16  # what a pipe holds; blocks of 1 MiB, which no cache holds, took three times the time
SAME_AGE = 0.001  # seconds; file systems round times differently
PUT_SECONDS = 600.0  # for a slow file system to write what was sent
OnBytes = Callable[[int], None]  # how many bytes more have gone or come


def upload_files(
    session: Session, folder: str, files: Sequence[tuple[str, Path, int]], told: OnBytes | None = None
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


def _send(session: Session, source: Path, span: tuple[int, int], told: OnBytes | None) -> None:
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


def stream_files(
    session: Session, folder: str, files: Sequence[tuple[str, int]]
) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Yield files from an offset on ((name there, offset)): what is told of each, and its bytes, to be read whole.

    A file that is not there has the size -1. Raises RunError at the end of one that did not come as it was sent.
    """
    number = session.send("give", path=folder, files=[list(one) for one in files])
    session.settle(before=number)
    for name, offset in files:
        head = session.said(session.line())
        if "id" in head:  # something went wrong before the first file
            session.take(head)
            break
        check_reply(session.login.site, head, FileHeader)
        if head["name"] != name or (head["size"] >= 0 and head.get("from") != offset):
            raise malformed_reply(session.login.site, name)
        yield head, _checked(session, head) if head["size"] >= 0 else iter(())
    session.result(number)


def _checked(session: Session, head: dict[str, Any]) -> Iterator[bytes]:
    total = hashlib.sha256()
    for block in session.raw(head["size"]):
        total.update(block)
        yield block
    if b"".join(session.raw(32)) != total.digest():
        raise RunError(f"{head['name']} did not come as it was sent", "the same command goes on")


def upload_missing(
    session: Session,
    folder: str,
    files: Sequence[tuple[str, Path]],
    *,
    before: Callable[[int, int], None] | None = None,
    told: OnBytes | None = None,
) -> int:
    """Send files that are not there in the same size and age, going on where a file was cut; return the bytes sent.

    `before` learns how many bytes will go, of how many files.
    """
    rows = []
    for name, path in files:
        about = path.stat()
        rows.append([name, about.st_size, about.st_mtime])
    told_there = session.call("begun", path=folder, files=rows)
    begun = told_there["found"]
    wanted = [(name, path, have) for (name, path), have in zip(files, begun, strict=True) if have >= 0]
    size: int = sum(row[1] - have for row, have in zip(rows, begun, strict=True) if have >= 0)
    if before:
        before(size, len(wanted))
    wanted = _without_large(session, str(told_there["path"]), wanted, told)
    if wanted:
        upload_files(session, folder, wanted, told)
    return size


def _without_large(
    session: Session, folder: str, wanted: list[tuple[str, Path, int]], told: OnBytes | None
) -> list[tuple[str, Path, int]]:
    """Send large files by rsync where that can be; return those that are left to send."""
    left = []
    for number, (name, path, have) in enumerate(wanted):
        about = path.stat()
        if not worth_rsync(session, about.st_size - have):
            left.append((name, path, have))
            continue
        session.call("folders", path=folder, names=[name.rpartition("/")[0]])
        part = part_of(Path(folder) / name, about.st_size, about.st_mtime)
        row = [name, about.st_size, about.st_mode & 0o777, about.st_mtime]
        if (
            not push(session, str(path.resolve()), str(part))
            or not session.call("name", path=folder, row=row)["named"]
        ):
            return [*left, *wanted[number:]]  # what one does not do, the next will not either
        if told:
            told(about.st_size - have)
    return left


def download_missing(
    session: Session, listed: dict[str, Any], here: Path, told: OnBytes | None = None
) -> int:
    """Fetch what the porter listed and is not here in the same size and age, each file whole or not at all.

    What came of one before it was cut stays beside it, to go on from. Returns the bytes that came.
    """
    folder, wanted = listed["path"], []
    for name, size, mtime, _ in missing_rows(listed, here):
        part = part_of(here / name if name else here, size, mtime)
        have = part.stat().st_size if part.exists() else 0
        wanted.append((name, have if have <= size else 0))
    wanted, came = _fetch_large(session, listed, here, wanted, told)
    for head, blocks in stream_files(session, folder, wanted) if wanted else ():
        if head["size"] < 0:
            raise RunError(f"{head['name'] or folder} vanished meanwhile", "the same command goes on")
        path = here / check_inside(head["name"]) if head["name"] else here
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path, head["from"] + head["size"], head["mtime"])
        with part.open("r+b" if head["from"] else "wb") as stream:
            stream.seek(head["from"])
            for block in blocks:
                stream.write(block)
                came += len(block)
                if told:
                    told(len(block))
        part.chmod(head["mode"])
        os.utime(part, (head["mtime"], head["mtime"]))
        part.replace(path)
    return came


def _fetch_large(
    session: Session, listed: dict[str, Any], here: Path, wanted: list[tuple[str, int]], told: OnBytes | None
) -> tuple[list[tuple[str, int]], int]:
    """Fetch large files by rsync where that can be; return those that are left to fetch, and the bytes that came."""
    rows, left, came = {row[0]: row for row in listed["files"]}, [], 0
    for number, (name, have) in enumerate(wanted):
        _, size, mtime, mode = rows[name]
        path = here / name if name else here
        if not worth_rsync(session, size - have):
            left.append((name, have))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path.absolute(), size, mtime)
        there = f"{listed['path']}/{name}" if name else listed["path"]
        if not pull(session, there, str(part)) or part.stat().st_size != size:
            return [*left, *wanted[number:]], came
        part.chmod(mode)
        os.utime(part, (mtime, mtime))
        part.replace(path)
        came += size - have
        if told:
            told(size - have)
    return left, came


def missing_rows(listed: dict[str, Any], here: Path) -> list[list[Any]]:
    """Return the rows of what the porter listed that are not here in the same size and age."""
    rows: list[list[Any]] = listed["files"]
    return [row for row in rows if not _same(here / check_inside(row[0]) if row[0] else here, row[1], row[2])]


def part_of(path: Path, size: int, mtime: float) -> Path:
    """Return where a file stands that has not come whole; of another size or age it is another file's part."""
    return Path(os.fsdecode(named(os.fsencode(path), size, mtime)))


def check_inside(name: str) -> str:
    """Return a name that the other end gave, if it stays inside its folder; raise RunError for any other."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise RunError(f"the site named a file outside the folder: {name!r}", "nothing was written")
    return name


def _same(path: Path, size: int, mtime: float) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    return about.st_size == size and abs(about.st_mtime - mtime) < SAME_AGE
