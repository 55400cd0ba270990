"""What of a snapshot counts as code, and the digest of it."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from msgspec import Struct

DOCUMENTS = {".md", ".rst", ".ipynb", ".pdf", ".doc", ".docx", ".odt", ".ppt", ".pptx", ".tex", ".bib"}
NAMED_DOCUMENTS = {
    "license",
    "licence",
    "copying",
    "notice",
    "authors",
    "readme",
    "changelog",
    "citation.cff",
}
NAMED_DOCUMENTS |= {".gitignore", ".gitattributes", ".editorconfig", ".mailmap"}
NAMED_DOCUMENTS |= {"packhorse-lock.txt"}  # what it brings counts as the environment, where it was built
SITES_FOLDER = "packhorse-sites"  # places to run, which decide no result
STUDY_KEYS = {
    *("name", "command", "shell", "function", "parameters", "replicates", "seed", "seeding", "resources"),
    *("result", "artifacts", "code", "include", "data", "env", "environment", "checks", "summary"),
    *("time_limit", "retries", "checkpoint", "index_variable", "sites", "defaults", "cluster"),
}


class SnapshotFile(Struct, frozen=True, kw_only=True):
    """One file, link or empty folder; `path` is relative to the root, `sha256` of a file's bytes."""

    path: str
    source: str
    kind: Literal["file", "link", "folder"] = "file"
    mode: int = 0o644
    size: int = 0
    mtime: int = 0
    link: str = ""
    sha256: str = ""


def code_digest(
    files: Iterable[SnapshotFile], *, command: str, result: str, apart: Iterable[str] = ()
) -> str:
    """Return sixteen digits for what decides a result: command, result and the code files.

    Study files, documents and notebooks do not count unless the command names them; `apart` are further
    paths, relative to the root, that do not count (the study, and files its parameters came from).
    """
    return digest(code_files(files, command, apart), command, result)


def code_files(files: Iterable[SnapshotFile], command: str, apart: Iterable[str] = ()) -> list[SnapshotFile]:
    """Return the files that decide a result."""
    left = set(apart)
    return [file for file in files if file.path not in left and _is_code(file, command)]


def is_document(path: str) -> bool:
    """Tell whether a path is that of a document, which decides no result."""
    name = posixpath.basename(path).lower()
    stem, suffix = posixpath.splitext(name)
    return suffix in DOCUMENTS or name in NAMED_DOCUMENTS or (suffix == ".txt" and stem in NAMED_DOCUMENTS)


def _is_code(file: SnapshotFile, command: str) -> bool:
    if posixpath.basename(file.path) in command:
        return True
    if is_document(file.path) or posixpath.basename(posixpath.dirname(file.path)) == SITES_FOLDER:
        return False
    suffix = posixpath.splitext(file.path.lower())[1]
    return not (suffix in (".yaml", ".yml") and file.kind == "file" and _is_study(Path(file.source)))


def _is_study(path: Path) -> bool:
    """Tell whether a YAML file is a study, by the words that begin its lines."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError:
        return False
    keys = {key.strip("'\"") for key in re.findall(r"^([^\s#:\-%][^:\n]*?)\s*:(?:\s|$)", text, re.MULTILINE)}
    return bool(keys & {"command", "function"}) and keys <= STUDY_KEYS


def digest(files: Iterable[SnapshotFile], *words: str) -> str:
    """Return sixteen digits for names, bytes, links and x bits of files, after some words."""
    whole = hashlib.sha256(repr(words).encode("utf-8", "backslashreplace"))
    for file in sorted(files, key=lambda file: file.path):
        if file.kind != "folder":
            runs = "x" if file.kind == "file" and file.mode & 0o100 else "-"
            content = file.sha256 or f"-> {file.link}"
            whole.update(b"\0".join((os.fsencode(file.path), runs.encode(), os.fsencode(content), b"\n")))
    return whole.hexdigest()[:16]


def printable(path: str) -> str:
    """Return a path that can be shown and sent as UTF-8, whatever bytes it has."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
