"""Snapshot of a project's code: the list of its files, and one tar of them."""

from __future__ import annotations

import difflib
import glob
import hashlib
import io
import json
import os
import posixpath
import re
import secrets
import stat
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from msgspec import Struct

from packhorse.model.errors import SnapshotError
from packhorse.model.secrets import is_secret_file
from packhorse.rundir.files import sync_folder
from packhorse.snapshot.code import SnapshotFile, digest, printable
from packhorse.snapshot.kinds import is_byproduct
from packhorse.snapshot.project_files import (
    SKIPPED,
    is_run,
    matcher,
    project_paths,
    walk,
    within,
)

MARK = "packhorse-mark"  # owner, in the tar, of a mark of the project's root
LIMIT = 100_000_000  # bytes of all files together


class SnapshotFiles(Struct, frozen=True, kw_only=True):
    """The files of a snapshot, sorted by path, and the files that were left out."""

    files: tuple[SnapshotFile, ...]
    left_out: tuple[tuple[str, str], ...] = ()  # (path, reason)

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size for file in self.files)


def list_files(
    root: Path,
    folder: Path,
    *,
    code: tuple[str, ...] = (),
    include: tuple[str, ...] = (),
    exclude: Iterable[Path] = (),
) -> SnapshotFiles:
    """Return the files of the snapshot of a study in `folder` of the project at `root`.

    `code` narrows it and `include` adds ignored files, both paths or globs relative to `folder`; files at or below
    `exclude` are left out. Raise SnapshotError above LIMIT, and where a pattern matches no file.
    """
    root, folder = root.resolve(), folder.resolve()
    place = folder.relative_to(root).as_posix()
    paths = _code_paths(root, place, code)
    paths.update(_included(root, place, include))
    excluded = _excluded(root, paths, exclude)

    files: list[SnapshotFile] = []
    left_out: list[tuple[str, str]] = []
    for path in sorted(path for path in paths if not _is_below(path, excluded)):
        entry = "looks like a key, a token or credentials" if is_secret_file(path) else _entry(root, path)
        if isinstance(entry, str):
            left_out.append((printable(path), entry))
        elif entry is not None:
            files.append(entry)
    _refuse_large(files, place)
    files = [_hashed(file) for file in files]
    files.extend(_empty_folders(root, place, files, excluded))
    return SnapshotFiles(files=tuple(sorted(files, key=lambda file: file.path)), left_out=tuple(left_out))


def _code_paths(root: Path, place: str, code: tuple[str, ...]) -> set[str]:
    """Return the project's paths, narrowed to the patterns in `code` where there are any."""
    paths = project_paths(root, place, code)
    if not code:
        return paths
    relative = {path: posixpath.relpath(path, place) for path in paths}
    narrowed: set[str] = set()
    for pattern in code:
        # Globs are relative to the study's folder, since its own name may contain characters of a glob.
        normal = posixpath.relpath(within(place, pattern), place)
        matches = matcher(normal).match
        matched = {
            path
            for path, name in relative.items()
            if name == normal or name.startswith(normal + "/") or matches(name)
        }
        if not matched:
            nearest = _nearest(pattern, walk(root, place), place)
            raise SnapshotError(f"code: {pattern} matches no file of the project", nearest)
        narrowed |= matched
    return narrowed


def _included(root: Path, place: str, include: tuple[str, ...]) -> Iterator[str]:
    for pattern in include:
        starts = [within(place, pattern)]
        if not os.path.lexists(root / starts[0]):
            hits = glob.glob(pattern, root_dir=root / place, recursive=True, include_hidden=True)
            starts = [within(place, hit) for hit in sorted(hits)]
        paths = [path for start in starts for path in walk(root, start, everything=True)]
        if not paths:
            nearest = _nearest(pattern, walk(root, place), place)
            raise SnapshotError(f"include: {pattern} matches no file", nearest)
        yield from (path for path in paths if not {".git", "__pycache__"} & set(path.split("/")))


def _nearest(pattern: str, paths: Iterable[str], place: str) -> str:
    names = {posixpath.relpath(path, place) for path in paths}
    names |= {posixpath.dirname(name) for name in names} - {""}
    near = difflib.get_close_matches(pattern.rstrip("/"), sorted(names), n=3, cutoff=0.5)
    return f"nearest names: {', '.join(near)}" if near else "paths are relative to the study's folder"


def _excluded(root: Path, paths: set[str], exclude: Iterable[Path]) -> set[str]:
    """Return the paths to leave out, relative to the root: those of `exclude`, and every run directory."""
    absolute = {path.resolve() for path in exclude} | {Path(os.path.abspath(path)) for path in exclude}
    inside = {path.relative_to(root).as_posix() for path in absolute if path.is_relative_to(root)}
    runs = {posixpath.dirname(path) for path in paths if posixpath.basename(path) == "run.json"}
    return inside | {run for run in runs if is_run(root / run)}


def _is_below(path: str, excluded: set[str]) -> bool:
    return bool(excluded) and (
        path in excluded or any(str(parent) in excluded for parent in PurePosixPath(path).parents)
    )


def _entry(root: Path, path: str) -> SnapshotFile | str | None:
    """Return a file's entry, the reason why it is left out, or None where a tracked file does not exist."""
    source = f"{root}/{path}"
    try:
        status = os.lstat(source)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(status.st_mode):
        return _link_entry(root, path, source)
    if stat.S_ISDIR(status.st_mode):
        return None
    if not stat.S_ISREG(status.st_mode):
        return "not a file but a pipe, a socket or a device"
    return SnapshotFile(
        path=path, source=source, mode=status.st_mode & 0o777, size=status.st_size, mtime=int(status.st_mtime)
    )


def _link_entry(root: Path, path: str, source: str) -> SnapshotFile | str:
    target = os.readlink(source)
    # Target and final file must both be inside: a chain of links may leave the project and return elsewhere.
    absolute = os.path.normpath(os.path.join(os.path.dirname(source), target))
    if not (Path(absolute).is_relative_to(root) and Path(os.path.realpath(source)).is_relative_to(root)):
        return f"a link to {printable(target)}, outside the project; name it under data: if tasks read it"
    if os.path.isabs(target):
        # An absolute link would lead every task to the live project.
        target = os.path.relpath(absolute, os.path.dirname(source))
    return SnapshotFile(path=path, source=source, kind="link", mode=0o777, link=target)


def _refuse_large(files: list[SnapshotFile], place: str) -> None:
    total = sum(file.size for file in files)
    if total <= LIMIT:
        return
    largest = sorted(files, key=lambda file: -file.size)
    lines = [f"  {file.size / 1e6:8.1f} MB  {printable(file.path)}" for file in largest[:10]]
    data = ", ".join(_yaml_text(posixpath.relpath(path, place)) for path in _to_move_out(largest, total))
    raise SnapshotError(
        f"the snapshot has {total / 1e6:.0f} MB; the limit is {LIMIT / 1e6:.0f} MB. The largest files:\n"
        + "\n".join(lines),
        f"name files that tasks only read as data, in the study:\n  data: [{data}]\nor narrow the snapshot with code:",
    )


def _to_move_out(largest: list[SnapshotFile], total: int) -> list[str]:
    """Return at most ten files whose removal brings the rest below the limit, else the folders whose removal does."""
    moved: list[str] = []
    for file in largest:
        if total <= LIMIT or len(moved) == 10:
            break
        moved.append(file.path)
        total -= file.size
    if total <= LIMIT:
        return moved
    sizes: dict[str, int] = {}
    for file in largest:
        sizes[posixpath.dirname(file.path)] = sizes.get(posixpath.dirname(file.path), 0) + file.size
    folders = sorted((folder for folder in sizes if folder), key=lambda folder: -sizes[folder])
    rest, chosen = sum(sizes.values()), []
    for folder in folders:
        if rest <= LIMIT:
            break
        chosen.append(folder)
        rest -= sizes[folder]
    return chosen or moved


def _yaml_text(text: str) -> str:
    plain = re.fullmatch(r"[A-Za-z_./][\w./-]*", text, re.ASCII)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _hashed(file: SnapshotFile) -> SnapshotFile:
    if file.kind != "file":
        return file
    return SnapshotFile(
        path=file.path,
        source=file.source,
        mode=file.mode,
        size=file.size,
        mtime=file.mtime,
        sha256=hashlib.sha256(_bytes_of(file)).hexdigest(),
    )


def _bytes_of(file: SnapshotFile) -> bytes:
    try:
        # Creating 5,000 Path objects would cost more than reading the files.
        with open(file.source, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise SnapshotError(
            f"{printable(file.path)} cannot be read: {error.strerror}",
            "make it readable (chmod u+r), or let git ignore it, and run the same command again",
        ) from None


def _empty_folders(
    root: Path, place: str, files: list[SnapshotFile], excluded: set[str]
) -> Iterator[SnapshotFile]:
    """Yield the study's folder, and empty folders that scripts may expect, such as an ignored results/."""
    full = {str(parent) for file in files for parent in PurePosixPath(file.path).parents}
    names = {"."} if place == "." else {place, "."}
    folders = {place} | {
        posixpath.normpath(posixpath.join(base, entry.name))
        for base in names
        for entry in os.scandir(root / base)
        if entry.is_dir(follow_symlinks=False) and not _is_skipped(Path(entry.path))
    }
    for path in sorted(folders - full - {"."}):
        if not _is_below(path, excluded):
            yield SnapshotFile(path=path, source=f"{root}/{path}", kind="folder", mode=0o755)


def _is_skipped(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name in SKIPPED
        or (folder / "pyvenv.cfg").exists()
        or is_run(folder)
    )


def pack(files: Iterable[SnapshotFile], tar_path: Path) -> str:
    """Write the files as one tar and return its digest, which covers names, bytes and x bits but no mtimes.

    The tar keeps mtimes, since make and Python's bytecode cache depend on them.
    Raise SnapshotError where a file changed since it was listed.
    """
    files = sorted(files, key=lambda file: file.path)
    temporary = tar_path.with_name(f".{tar_path.name}.{secrets.token_hex(6)}")
    try:
        with temporary.open("xb") as stream:
            _write_tar(files, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(tar_path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(tar_path.parent)
    return digest(files)


def _write_tar(files: list[SnapshotFile], stream: io.BufferedWriter) -> None:
    # The GNU format keeps all bytes of a name; pax would recode names that are not UTF-8.
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.mode, entry.mtime = file.mode, file.mtime
            if file.kind == "file":
                content = _bytes_of(file)
                changed = hashlib.sha256(content).hexdigest() != file.sha256
                if changed and not is_byproduct(file.path):  # a log may grow meanwhile
                    raise SnapshotError(
                        f"{printable(file.path)} changed while it was packed", "run the same command again"
                    )
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
                continue
            if file.kind == "mark":
                entry.uname, entry.size = MARK, len(file.content)
                tar.addfile(entry, io.BytesIO(file.content))
                continue
            entry.type = tarfile.SYMTYPE if file.kind == "link" else tarfile.DIRTYPE
            entry.linkname = file.link
            tar.addfile(entry)
