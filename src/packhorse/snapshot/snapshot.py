"""The code as it was: which files, their digest, and one tar of them."""

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
from packhorse.snapshot.code import SnapshotFile, code_digest, digest, is_document, printable
from packhorse.snapshot.data_files import data_digests
from packhorse.snapshot.import_roots import import_roots
from packhorse.snapshot.project_files import (
    SKIPPED,
    find_root,
    is_run,
    matcher,
    project_paths,
    walk,
    within,
)

__all__ = [
    "LIMIT",
    "Listing",
    "SnapshotFile",
    "code_digest",
    "data_digests",
    "find_root",
    "import_roots",
    "list_files",
    "pack",
]

LIMIT = 100_000_000


class Listing(Struct, frozen=True, kw_only=True):
    """What the snapshot holds, sorted by path, and what was left out with the reason."""

    files: tuple[SnapshotFile, ...]
    left_out: tuple[tuple[str, str], ...] = ()

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
) -> Listing:
    """Return the snapshot of a study in `folder` of the project at `root`.

    `code` narrows it and `include` adds ignored files, both paths or globs relative to `folder`; nothing at
    or below `exclude` is taken. Raises SnapshotError above LIMIT, and where a pattern names nothing.
    """
    root, folder = root.resolve(), folder.resolve()
    place = folder.relative_to(root).as_posix()
    paths = _narrowed(root, place, code)
    paths.update(_included(root, place, include))
    barred = _barred(root, paths, exclude)
    kept = sorted(path for path in paths if not _is_below(path, barred))

    files: list[SnapshotFile] = []
    left_out: list[tuple[str, str]] = []
    for path in kept:
        seen = "looks like a key, a token or credentials" if is_secret_file(path) else _look(root, path)
        if isinstance(seen, str):
            left_out.append((printable(path), seen))
        elif seen is not None:
            files.append(seen)
    _refuse_large(files, place)
    files = [_hashed(file) for file in files]
    files.extend(_empty_folders(root, place, files, barred))
    return Listing(files=tuple(sorted(files, key=lambda file: file.path)), left_out=tuple(left_out))


def _narrowed(root: Path, place: str, code: tuple[str, ...]) -> set[str]:
    paths = project_paths(root, place, code)
    if not code:
        return paths
    seen_from_study = {path: posixpath.relpath(path, place) for path in paths}
    kept: set[str] = set()
    for pattern in code:
        # Globs are read from the study's folder, whose own name may hold signs of a glob.
        wanted = posixpath.relpath(within(place, pattern), place)
        matches, literal = matcher(wanted).match, (wanted, wanted + "/")
        found = {
            path
            for path, name in seen_from_study.items()
            if name == literal[0] or name.startswith(literal[1]) or matches(name)
        }
        if not found:
            nearest = _nearest(pattern, walk(root, place), place)
            raise SnapshotError(f"code: {pattern} names no file of the project", nearest)
        kept |= found
    return kept


def _included(root: Path, place: str, include: tuple[str, ...]) -> Iterator[str]:
    for pattern in include:
        starts = [within(place, pattern)]
        if not os.path.lexists(root / starts[0]):
            hits = glob.glob(pattern, root_dir=root / place, recursive=True, include_hidden=True)
            starts = [within(place, hit) for hit in sorted(hits)]
        found = [path for start in starts for path in walk(root, start, everything=True)]
        if not found:
            nearest = _nearest(pattern, walk(root, place), place)
            raise SnapshotError(f"include: {pattern} names nothing", nearest)
        yield from (path for path in found if not {".git", "__pycache__"} & set(path.split("/")))


def _nearest(pattern: str, paths: Iterable[str], place: str) -> str:
    names = {posixpath.relpath(path, place) for path in paths}
    names |= {posixpath.dirname(name) for name in names} - {""}
    near = difflib.get_close_matches(pattern.rstrip("/"), sorted(names), n=3, cutoff=0.5)
    return f"the nearest: {', '.join(near)}" if near else "paths are relative to the study's folder"


def _barred(root: Path, paths: set[str], exclude: Iterable[Path]) -> set[str]:
    """Return what is never taken: the given paths, and every run directory."""
    barred = {path.resolve() for path in exclude} | {Path(os.path.abspath(path)) for path in exclude}
    inside = {path.relative_to(root).as_posix() for path in barred if path.is_relative_to(root)}
    runs = {posixpath.dirname(path) for path in paths if posixpath.basename(path) == "run.json"}
    return inside | {run for run in runs if is_run(root / run)}


def _is_below(path: str, barred: set[str]) -> bool:
    return bool(barred) and (
        path in barred or any(str(parent) in barred for parent in PurePosixPath(path).parents)
    )


def _look(root: Path, path: str) -> SnapshotFile | str | None:
    """Return the entry, the reason why it is left out, or None where a tracked file is gone."""
    source = f"{root}/{path}"
    try:
        seen = os.lstat(source)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(seen.st_mode):
        return _link(root, path, source)
    if stat.S_ISDIR(seen.st_mode):
        return None
    if not stat.S_ISREG(seen.st_mode):
        return "not a file but a pipe, a socket or a device"
    return SnapshotFile(
        path=path, source=source, mode=seen.st_mode & 0o777, size=seen.st_size, mtime=int(seen.st_mtime)
    )


def _link(root: Path, path: str, source: str) -> SnapshotFile | str:
    target = os.readlink(source)
    # The last step must end inside too: a chain of links may leave the project and come back elsewhere.
    written = os.path.normpath(os.path.join(os.path.dirname(source), target))
    if not (Path(written).is_relative_to(root) and Path(os.path.realpath(source)).is_relative_to(root)):
        return f"a link to {printable(target)}, outside the project; name it under data: if tasks read it"
    if os.path.isabs(target):
        # An absolute link would lead every task to the live project.
        target = os.path.relpath(written, os.path.dirname(source))
    return SnapshotFile(path=path, source=source, kind="link", mode=0o777, link=target)


def _refuse_large(files: list[SnapshotFile], place: str) -> None:
    total = sum(file.size for file in files)
    if total <= LIMIT:
        return
    largest = sorted(files, key=lambda file: -file.size)
    heaviest = [f"  {file.size / 1e6:8.1f} MB  {printable(file.path)}" for file in largest[:10]]
    line = ", ".join(_yaml_text(posixpath.relpath(path, place)) for path in _to_move_out(largest, total))
    raise SnapshotError(
        f"the snapshot would hold {total / 1e6:.0f} MB, and {LIMIT / 1e6:.0f} MB is the limit; the largest files:\n"
        + "\n".join(heaviest),
        f"name what tasks only read as data, in the study:\n  data: [{line}]\nor narrow the snapshot with code:",
    )


def _to_move_out(largest: list[SnapshotFile], total: int) -> list[str]:
    """Return the few files whose move brings the rest below the limit, else the folders that do."""
    moved: list[str] = []
    for file in largest:
        if total <= LIMIT or len(moved) == 10:
            break
        moved.append(file.path)
        total -= file.size
    if total <= LIMIT:
        return moved
    weights: dict[str, int] = {}
    for file in largest:
        weights[posixpath.dirname(file.path)] = weights.get(posixpath.dirname(file.path), 0) + file.size
    folders = sorted((folder for folder in weights if folder), key=lambda folder: -weights[folder])
    rest, chosen = sum(weights.values()), []
    for folder in folders:
        if rest <= LIMIT:
            break
        chosen.append(folder)
        rest -= weights[folder]
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
        # Building 5,000 Paths would cost more than reading the files.
        with open(file.source, "rb") as stream:
            return stream.read()
    except OSError as trouble:
        raise SnapshotError(
            f"{printable(file.path)} cannot be read: {trouble.strerror}",
            "make it readable (chmod u+r), or let git ignore it, and run the same command again",
        ) from None


def _empty_folders(
    root: Path, place: str, files: list[SnapshotFile], barred: set[str]
) -> Iterator[SnapshotFile]:
    """Yield the study's folder, and folders such as an ignored results/ that scripts expect to be there."""
    full = {str(parent) for file in files for parent in PurePosixPath(file.path).parents}
    names = {"."} if place == "." else {place, "."}
    wanted = {place} | {
        posixpath.normpath(posixpath.join(base, entry.name))
        for base in names
        for entry in os.scandir(root / base)
        if entry.is_dir(follow_symlinks=False) and not _is_no_place(Path(entry.path))
    }
    for path in sorted(wanted - full - {"."}):
        if not _is_below(path, barred):
            yield SnapshotFile(path=path, source=f"{root}/{path}", kind="folder", mode=0o755)


def _is_no_place(folder: Path) -> bool:
    return (
        folder.name.startswith(".")
        or folder.name in SKIPPED
        or (folder / "pyvenv.cfg").exists()
        or is_run(folder)
    )


def pack(files: Iterable[SnapshotFile], tar_path: Path) -> str:
    """Write the files as one tar and return its digest, which knows names, bytes and x bits but no times.

    Modification times stay in the tar, as make and Python's bytecode cache go by them.
    Raises SnapshotError where a file changed since it was listed.
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
    # GNU tar keeps any bytes in a name as they are; pax would recode what is not UTF-8.
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.mode, entry.mtime = file.mode, file.mtime
            if file.kind == "file":
                content = _bytes_of(file)
                if hashlib.sha256(content).hexdigest() != file.sha256:
                    raise SnapshotError(
                        f"{printable(file.path)} changed while it was packed", "run the same command again"
                    )
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
                continue
            entry.type = tarfile.SYMTYPE if file.kind == "link" else tarfile.DIRTYPE
            entry.linkname = file.link
            tar.addfile(entry)


def changed_files(tar_path: Path, files: Iterable[SnapshotFile], code: Iterable[SnapshotFile]) -> list[str]:
    """Return what of the code differs between a packed snapshot and now, each with what happened to it.

    `files` is the snapshot as it would be now, `code` what of it counts.
    """
    now = {file.path: file.sha256 for file in code if file.kind == "file"}
    before: dict[str, str] = {}
    with tarfile.open(tar_path) as tar:
        for entry in tar:
            content = tar.extractfile(entry) if entry.isfile() else None
            if content is not None:
                before[entry.name] = hashlib.sha256(content.read()).hexdigest()
    gone = before.keys() - {file.path for file in files}
    said = [f"{printable(path)} is new" for path in now.keys() - before.keys()]
    said += [f"{printable(path)} is gone" for path in gone if not is_document(path)]
    said += [f"{printable(path)} changed" for path in now.keys() & before.keys() if now[path] != before[path]]
    return sorted(said)
