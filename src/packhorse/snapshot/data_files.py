"""Digests of data files, which tasks only read; an unchanged file is hashed only once."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packhorse.model.errors import SnapshotError

# A second change within the resolution of the file system's clock keeps the mtime, so digests of files that were
# modified less than this many seconds ago are not cached.
SETTLED_SECONDS = 2.0


def data_digests(
    folder: Path, data: tuple[str, ...], cache: Path, *, inputs: Mapping[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Return {path: {"sha256", "bytes", "mtime", "files"}} for files and folders relative to `folder`.

    `cache` is a file with digests by path, size, mtime and inode; `inputs` are the names of those that the study has under
    inputs. Raise SnapshotError for a path that does not exist, with the nearest existing name.
    """
    if not data:
        return {}
    known = _load(cache)
    before = len(known)
    named = {path: name for name, path in (inputs or {}).items()}
    digests = {name: _digest(_existing(folder, name, named.get(name, "")), known) for name in data}
    if len(known) != before:
        _save(cache, known)
    return digests


def _existing(folder: Path, name: str, input_name: str) -> Path:
    """Return the path of data, or of the input `input_name`."""
    what = f"inputs: {input_name}:" if input_name else "data:"
    path = folder / name
    if path.exists():
        return path
    if path.is_symlink():
        raise SnapshotError(
            f"{what} {name} is a link to {path.readlink()}, which does not exist",
            "mount or download the data first",
        )
    parent = path.parent
    while not parent.is_dir():
        parent = parent.parent
    missing = path.relative_to(parent).parts[0]
    near = difflib.get_close_matches(
        missing, sorted(entry.name for entry in parent.iterdir()), n=1, cutoff=0.4
    )
    hint = "paths are relative to the study's folder"
    if near:
        nearest = os.path.relpath(parent / near[0], folder)
        written = f"inputs: {{{input_name}: {nearest}}}" if input_name else f"data: [{nearest}]"
        hint = f"the nearest name is {nearest}; write\n  {written}"
    raise SnapshotError(f"{what} {name} does not exist", hint)


def _digest(path: Path, known: dict[str, str]) -> dict[str, Any]:
    if path.is_file():
        status = path.stat()
        return {"sha256": _hash(path, known), "bytes": status.st_size, "mtime": status.st_mtime, "files": 1}
    total, size, latest, count = hashlib.sha256(), 0, 0.0, 0
    for file in _below(path):
        if file.is_symlink() and not file.is_file():
            content = "-> " + os.readlink(file)  # noqa: PTH115 - the unchanged text
        elif not file.is_file():
            continue  # pipes and sockets have no content
        else:
            status = file.stat()
            content, size, latest = _hash(file, known), size + status.st_size, max(latest, status.st_mtime)
        count += 1
        total.update(os.fsencode(file.relative_to(path)) + b"\0" + os.fsencode(content) + b"\0")
    return {"sha256": total.hexdigest(), "bytes": size, "mtime": latest, "files": count}


def _below(path: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(path):
        folders.sort()
        links = [name for name in folders if Path(top, name).is_symlink()]
        yield from (Path(top, name) for name in sorted(names + links))


def _hash(path: Path, known: dict[str, str]) -> str:
    """Return the SHA-256 of a file, from the cache `known` where it is unchanged."""
    try:
        status = path.stat()
        key = f"{status.st_size} {status.st_mtime_ns} {status.st_ino} {os.path.realpath(path)}"
        if key not in known:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            if time.time() - status.st_mtime < SETTLED_SECONDS:
                return digest
            known[key] = digest
        return known[key]
    except OSError as error:
        raise SnapshotError(f"data: {path} cannot be read: {error.strerror}", f"chmod u+r {path}") from None


def _load(cache: Path) -> dict[str, str]:
    try:
        known = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(digest) for key, digest in known.items()} if isinstance(known, dict) else {}


def _save(cache: Path, known: dict[str, str]) -> None:
    """Write the cache; on a full or read-only disk the files are only hashed again."""
    temporary = cache.with_name(f".{cache.name}.{secrets.token_hex(6)}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(known), encoding="ascii")
        temporary.replace(cache)
    except OSError:
        temporary.unlink(missing_ok=True)
