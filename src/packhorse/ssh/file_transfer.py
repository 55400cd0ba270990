"""Upload and download of files over a session: whole or not at all, resumed where interrupted, checked by SHA-256."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from packhorse.agent.paths import part_of as agent_part_of
from packhorse.model.errors import RunError
from packhorse.ssh.replies import FileHeader, check_reply, malformed_reply
from packhorse.ssh.rsync import pull, push, worth_rsync
from packhorse.ssh.session import Session

BLOCK = (
    1 << 16
)  # bytes, the capacity of a pipe; blocks of 1 MiB, larger than the CPU cache, took three times as long
SAME_MTIME = 0.001  # seconds; file systems round times differently
UPLOAD_SECONDS = 600.0  # for a slow file system to write an upload
OnBytes = Callable[[int], None]  # called with the number of bytes transferred since the last call


def upload_files(
    session: Session, folder: str, files: Sequence[tuple[str, Path, int]], on_bytes: OnBytes | None = None
) -> dict[str, Any]:
    """Upload files ((remote name, local path, offset in bytes to start from)) into a folder, and return the reply.

    Raise RunError where a file changes during the upload, arrives damaged, or cannot be written.
    """
    headers: list[list[Any]] = []
    for name, source, offset in files:
        status = source.stat()
        size = status.st_size
        headers.append([name, size, min(offset, size), status.st_mode & 0o777, status.st_mtime])
    number = session.send("put", path=folder, files=headers, raw_follows=True)
    for (_, source, _), (_, size, offset, _, _) in zip(files, headers, strict=True):
        _send(session, source, (size, offset), on_bytes)
    return session.result(number, UPLOAD_SECONDS)


def _send(session: Session, source: Path, span: tuple[int, int], on_bytes: OnBytes | None) -> None:
    """Send a file's bytes from the offset on, then the digest of the whole file."""
    size, offset = span
    total, at = hashlib.sha256(), 0
    with source.open("rb") as stream:
        while at < size:
            # Up to the offset the file is only hashed; no block may reach across it.
            block = stream.read(min(BLOCK, (offset if at < offset else size) - at))
            if not block:
                raise RunError(f"{source} was truncated during the upload", "run this command again")
            total.update(block)
            if at >= offset:
                session.write(block)
                if on_bytes:
                    on_bytes(len(block))
            at += len(block)
    session.write(total.digest())


def stream_files(
    session: Session, folder: str, files: Sequence[tuple[str, int]]
) -> Iterator[tuple[dict[str, Any], Iterator[bytes]]]:
    """Yield header and bytes of files ((remote name, offset)), from the offset on. Read all bytes before the next file.

    A file that does not exist has the size -1. Raise RunError at the end of a file that arrived damaged.
    """
    number = session.send("give", path=folder, files=[list(row) for row in files])
    session.settle(before=number)
    for name, offset in files:
        head = session.parse_reply(session.line())
        if "id" in head:  # the request failed before the first file
            session.accept_reply(head)
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
        raise RunError(f"{head['name']} was damaged in transfer", "run this command again to resume")


def upload_missing(
    session: Session,
    folder: str,
    files: Sequence[tuple[str, Path]],
    *,
    before: Callable[[int, int], None] | None = None,
    on_bytes: OnBytes | None = None,
) -> int:
    """Upload files that the site does not have with the same size and mtime; return the number of bytes uploaded.

    Interrupted uploads resume. `before` is called with the number of bytes to upload, and of files; `on_bytes` with
    the bytes of each block.
    """
    rows = []
    for name, path in files:
        status = path.stat()
        rows.append([name, status.st_size, status.st_mtime])
    reply = session.call("begun", path=folder, files=rows)
    offsets = reply["found"]  # -1 for a complete file
    missing = [
        (name, path, offset) for (name, path), offset in zip(files, offsets, strict=True) if offset >= 0
    ]
    size: int = sum(row[1] - offset for row, offset in zip(rows, offsets, strict=True) if offset >= 0)
    if before:
        before(size, len(missing))
    small = _upload_large(session, str(reply["path"]), missing, on_bytes)
    if small:
        upload_files(session, folder, small, on_bytes)
    return size


def _upload_large(
    session: Session, folder: str, files: list[tuple[str, Path, int]], on_bytes: OnBytes | None
) -> list[tuple[str, Path, int]]:
    """Upload large files with rsync where possible; return the files that remain."""
    remaining = []
    for number, (name, path, offset) in enumerate(files):
        status = path.stat()
        if not worth_rsync(session, status.st_size - offset):
            remaining.append((name, path, offset))
            continue
        session.call("folders", path=folder, names=[name.rpartition("/")[0]])
        part = part_of(Path(folder) / name, status.st_size, status.st_mtime)
        row = [name, status.st_size, status.st_mode & 0o777, status.st_mtime]
        if (
            not push(session, str(path.resolve()), str(part))
            or not session.call("name", path=folder, row=row)["named"]
        ):
            return [*remaining, *files[number:]]  # what failed for one file will fail for the next
        if on_bytes:
            on_bytes(status.st_size - offset)
    return remaining


def download_missing(
    session: Session, listed: dict[str, Any], here: Path, on_bytes: OnBytes | None = None
) -> int:
    """Download listed files that are not in `here` with the same size and mtime; return the number of bytes received.

    `listed` is the agent's reply to "list". Each file appears whole or not at all; the part of an interrupted
    download stays beside it, and the next one resumes. `on_bytes` is called with the bytes of each block.
    """
    folder, files = listed["path"], []
    for name, size, mtime, _ in missing_rows(listed, here):
        part = part_of(here / name if name else here, size, mtime)
        offset = part.stat().st_size if part.exists() else 0
        files.append((name, offset if offset <= size else 0))
    files, received = _download_large(session, listed, here, files, on_bytes)
    for head, blocks in stream_files(session, folder, files) if files else ():
        if head["size"] < 0:
            raise RunError(
                f"{head['name'] or folder} was removed during the download",
                "run this command again to resume",
            )
        path = here / check_inside(head["name"]) if head["name"] else here
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path, head["from"] + head["size"], head["mtime"])
        with part.open("r+b" if head["from"] else "wb") as stream:
            stream.seek(head["from"])
            for block in blocks:
                stream.write(block)
                received += len(block)
                if on_bytes:
                    on_bytes(len(block))
        part.chmod(head["mode"])
        os.utime(part, (head["mtime"], head["mtime"]))
        part.replace(path)
    return received


def _download_large(
    session: Session,
    listed: dict[str, Any],
    here: Path,
    files: list[tuple[str, int]],
    on_bytes: OnBytes | None,
) -> tuple[list[tuple[str, int]], int]:
    """Download large files with rsync where possible; return the files that remain, and the bytes received."""
    rows, remaining, received = {row[0]: row for row in listed["files"]}, [], 0
    for number, (name, offset) in enumerate(files):
        _, size, mtime, mode = rows[name]
        path = here / name if name else here
        if not worth_rsync(session, size - offset):
            remaining.append((name, offset))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(path.absolute(), size, mtime)
        source = f"{listed['path']}/{name}" if name else listed["path"]
        if not pull(session, source, str(part)) or part.stat().st_size != size:
            return [*remaining, *files[number:]], received
        part.chmod(mode)
        os.utime(part, (mtime, mtime))
        part.replace(path)
        received += size - offset
        if on_bytes:
            on_bytes(size - offset)
    return remaining, received


def missing_rows(listed: dict[str, Any], here: Path) -> list[list[Any]]:
    """Return the rows of listed files that are not in `here` with the same size and mtime."""
    rows: list[list[Any]] = listed["files"]
    return [row for row in rows if not _same(here / check_inside(row[0]) if row[0] else here, row[1], row[2])]


def part_of(path: Path, size: int, mtime: float) -> Path:
    """Return the path of a file's incomplete copy, which differs for another size or mtime."""
    return Path(os.fsdecode(agent_part_of(os.fsencode(path), size, mtime)))


def check_inside(name: str) -> str:
    """Return a relative name that the site sent; raise RunError where it leaves its folder."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or "\0" in name:
        raise RunError(
            f"the site sent the name of a file outside the folder: {name!r}", "nothing was written"
        )
    return name


def _same(path: Path, size: int, mtime: float) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_size == size and abs(status.st_mtime - mtime) < SAME_MTIME
