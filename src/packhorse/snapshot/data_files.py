"""Digests of the files that tasks only read; each file is hashed once as long as it stays as it is."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packhorse.model.errors import SnapshotError

# A file changed within the tick of its file system's clock keeps its time, so a fresh one is not remembered.
SETTLED = 2.0


def data_digests(folder: Path, data: tuple[str, ...], cache: Path) -> dict[str, dict[str, Any]]:
    """Return {path: {"sha256", "bytes", "mtime", "files"}} for files and folders relative to `folder`.

    `cache` is a file that remembers digests by path, size, modification time and inode. Raises SnapshotError
    for a path that does not exist, naming the nearest that does.
    """
    if not data:
        return {}
    known = _load(cache)
    before = len(known)
    digests = {name: _digest(_existing(folder, name), known) for name in data}
    if len(known) != before:
        _save(cache, known)
    return digests


def _existing(folder: Path, name: str) -> Path:
    path = folder / name
    if path.exists():
        return path
    if path.is_symlink():
        raise SnapshotError(
            f"data: {name} is a link to {path.readlink()}, which does not exist",
            "mount or fetch the data first",
        )
    parent = path.parent
    while not parent.is_dir():
        parent = parent.parent
    missing = path.relative_to(parent).parts[0]
    near = difflib.get_close_matches(
        missing, sorted(entry.name for entry in parent.iterdir()), n=1, cutoff=0.4
    )
    hint = f"the nearest name is {os.path.relpath(parent / near[0], folder)}; write\n  data: " if near else ""
    hint += (
        f"[{os.path.relpath(parent / near[0], folder)}]"
        if near
        else "paths are relative to the study's folder"
    )
    raise SnapshotError(f"data: {name} does not exist", hint)


def _digest(path: Path, known: dict[str, str]) -> dict[str, Any]:
    if path.is_file():
        seen = path.stat()
        return {"sha256": _hash(path, known), "bytes": seen.st_size, "mtime": seen.st_mtime, "files": 1}
    whole, size, latest, count = hashlib.sha256(), 0, 0.0, 0
    for file in _below(path):
        if file.is_symlink() and not file.is_file():
            content = "-> " + os.readlink(file)  # noqa: PTH115 - the text as it stands
        elif not file.is_file():
            continue  # pipes and sockets have no content
        else:
            seen = file.stat()
            content, size, latest = _hash(file, known), size + seen.st_size, max(latest, seen.st_mtime)
        count += 1
        whole.update(os.fsencode(file.relative_to(path)) + b"\0" + os.fsencode(content) + b"\0")
    return {"sha256": whole.hexdigest(), "bytes": size, "mtime": latest, "files": count}


def _below(path: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(path):
        folders.sort()
        links = [name for name in folders if Path(top, name).is_symlink()]
        yield from (Path(top, name) for name in sorted(names + links))


def _hash(path: Path, known: dict[str, str]) -> str:
    try:
        seen = path.stat()
        mark = f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ino} {os.path.realpath(path)}"
        if mark not in known:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if time.time() - seen.st_mtime < SETTLED:
                return digest
            known[mark] = digest
        return known[mark]
    except OSError as trouble:
        raise SnapshotError(f"data: {path} cannot be read: {trouble.strerror}", f"chmod u+r {path}") from None


def _load(cache: Path) -> dict[str, str]:
    try:
        known = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(mark): str(digest) for mark, digest in known.items()} if isinstance(known, dict) else {}


def _save(cache: Path, known: dict[str, str]) -> None:
    """Keep the cache; a disk that is full or read-only only costs hashing again."""
    temporary = cache.with_name(f".{cache.name}.{secrets.token_hex(6)}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known), encoding="ascii")
        temporary.replace(cache)
    except OSError:
        temporary.unlink(missing_ok=True)
