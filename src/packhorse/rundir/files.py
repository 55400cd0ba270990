"""Writing files so that a reader sees the old content or the new one, also after a crash."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_file(path: Path, data: bytes | str, mode: int = 0o600) -> None:
    """Replace a file: temporary name in the same folder, fsync, rename, fsync of the folder."""
    private = _private(path, data, mode)
    try:
        private.replace(path)
    except BaseException:
        private.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_once(path: Path, data: bytes | str, mode: int = 0o600) -> bool:
    """Write a file that nobody has written before; tell whether it was us. Of several at once one is the first."""
    private = _private(path, data, mode)
    try:
        os.link(private, path)
    except FileExistsError:
        return False
    finally:
        private.unlink()
    sync_folder(path.parent)
    return True


def _private(path: Path, data: bytes | str, mode: int) -> Path:
    """Write a file under another name in the same folder, durably; return it."""
    content = data.encode("utf-8") if isinstance(data, str) else data
    private = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(private, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        private.unlink(missing_ok=True)
        raise
    return private


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
