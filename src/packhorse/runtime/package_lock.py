"""The package lock of a study: the nearest file that lists packages with one version each."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from packhorse.model.errors import RunError

GENERATED_LOCK = (
    "packhorse-lock.txt"  # generated where there is no other lock; `snapshot.code` does not count it as code
)
HEAD = "# Made by packhorse"
PINNED = re.compile(r"[A-Za-z0-9][\w.-]*\s*(\[[^\]]*\])?\s*(===?\s*[^\s;*,]+|@\s*\S+)\s*(;.*)?$")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# The project itself is part of the snapshot; constraints have no effect where all is pinned, and their file is not sent.
OMITTED = re.compile(r"(-e|--editable)\s+\.(/\S*)?$|\.(/\S*)?$|(-c|--constraint)\b")
# How packhorse, pip-compile and uv write the Python version of a lock.
PYTHON_COMMENT = re.compile(r"^#.*(?:Python |--python-version[= ])(\d\.\d+)", re.MULTILINE)
NOT_FOR_TASKS = ("dev", "test", "doc", "lint")  # in the name of a requirements file that tasks do not need


class Lock(Struct, frozen=True, kw_only=True):
    """Packages to install: the text of a requirements file, or a uv project with the files that uv reads."""

    kind: Literal["requirements", "uv"]
    path: str
    text: str
    files: dict[str, str] = {}
    python: str = ""  # the version that the lock was made for, such as 3.11

    @property
    def digest(self) -> str:
        """The SHA-256 of the lock without its comments."""
        lines = [line for line in self.text.splitlines() if line and not line.startswith("#")]
        content = json.dumps([self.kind, lines, self.files], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    @property
    def count(self) -> int:
        """The number of packages."""
        head = r"^\[\[package\]\]" if self.kind == "uv" else r"^[A-Za-z0-9]"
        return len(re.findall(head, self.text, re.MULTILINE))


def find_lock(folder: Path, root: Path) -> Lock | None:
    """Return the nearest lock, from the study's folder up to the project's root, or None where there is none."""
    for place in _upward(folder, root):
        if (place / "uv.lock").is_file() and (place / "pyproject.toml").is_file():
            return uv_lock(place)
        if (place / "pylock.toml").is_file():
            return _pylock(place / "pylock.toml")
        for path in _requirements(place):
            text = inline_requirements(path)
            if is_pinned(text):
                return Lock(kind="requirements", path=str(path), text=text, python=_made_for(text))
        if (place / GENERATED_LOCK).is_file():
            text = inline_requirements(place / GENERATED_LOCK)
            return Lock(
                kind="requirements", path=str(place / GENERATED_LOCK), text=text, python=_made_for(text)
            )
    return None


def uv_lock(place: Path) -> Lock:
    """Return the lock of a uv project, with the files that uv needs to install it; raise RunError without a uv.lock."""
    if not (place / "uv.lock").is_file():
        raise RunError(
            f"environment: {place} has no uv.lock", f"create and commit it: uv lock --project {place}"
        )
    text = _read(place / "uv.lock")
    names = [place / name for name in ("pyproject.toml", ".python-version", "uv.toml")]
    members = [place / member for member in re.findall(r'(?:editable|virtual) = "([^".][^"]*)"', text)]
    names += [member / "pyproject.toml" for member in members]
    files = {path.relative_to(place).as_posix(): _read(path) for path in names if path.is_file()}
    return Lock(kind="uv", path=str(place / "uv.lock"), text=text, files=files)


def unpinned_names(folder: Path, root: Path) -> tuple[list[str], str]:
    """Return the package names in the nearest requirements file, pinned or not, and the file's name."""
    for place in _upward(folder, root):
        for path in _requirements(place):
            lines = [line for line in _lines(inline_requirements(path)) if not line.startswith("-")]
            names = [match[0] for line in lines if (match := NAME.match(line))]
            if names:
                return names, path.name
    return [], ""


def pinned_python(folder: Path, root: Path) -> str:
    """Return the version in the nearest .python-version, such as 3.11, or ""."""
    for place in _upward(folder, root):
        if (place / ".python-version").is_file():
            version = re.search(r"\d\.\d+", _read(place / ".python-version"))
            return version[0] if version else ""
    return ""


def oldest_python(folder: Path, root: Path) -> tuple[int, int] | None:
    """Return the oldest Python that the nearest pyproject.toml allows, or None where it has no requires-python."""
    for place in _upward(folder, root):
        if (place / "pyproject.toml").is_file():
            try:
                required = tomllib.loads(_read(place / "pyproject.toml"))["project"]["requires-python"]
            except (KeyError, TypeError, tomllib.TOMLDecodeError):
                return None
            version = re.search(r"(?:>=?|~=|==)\s*(\d+)\.(\d+)", str(required))
            return (int(version[1]), int(version[2])) if version else None
    return None


def make_lock(folder: Path, python: str, modules: list[str], lines: list[str], why: str) -> Lock:
    """Return a generated lock, to be written beside the study; `why` is the origin of its versions."""
    head = (
        f"{HEAD} for Python {python}, {why}.\n"
        "# Environments on other machines are built from this file. Commit it with the study. You may edit it, or\n"
        "# remove it to have it generated again from the packages that are installed here.\n"
        f"# imported: {', '.join(modules)}\n"
    )
    text = head + "".join(f"{line}\n" for line in lines)
    return Lock(kind="requirements", path=str(folder / GENERATED_LOCK), text=text, python=python)


def locked_modules(lock: Lock) -> list[str] | None:
    """Return the modules for which packhorse generated a lock, or None for a lock that it did not generate."""
    if Path(lock.path).name != GENERATED_LOCK or not lock.text.startswith(HEAD):
        return None
    modules = re.search(r"^# imported: (.*)$", lock.text, re.MULTILINE)
    return [name.strip() for name in modules[1].split(",") if name.strip()] if modules else None


def is_pinned(text: str) -> bool:
    """Return whether a requirements file pins every package to one version."""
    lines = [re.sub(r"\s--hash[= ]\S+", "", line).strip() for line in _lines(text)]
    packages = [line for line in lines if not line.startswith("-")]
    return bool(packages) and all(PINNED.match(line) for line in packages)


def inline_requirements(path: Path, depth: int = 0) -> str:
    """Return a requirements file with included files (-r) inlined, without comments and without the project itself.

    Only comment lines of the first file are kept, since they may name the Python version.
    """
    rows = [line for line in _read(path).splitlines() if line.startswith("#")] if depth == 0 else []
    for line in _lines(_read(path)):
        included = re.match(r"(?:-r|--requirement)[= ]?\s*(\S+)$", line)
        if included and depth < 10:
            rows.append(inline_requirements(path.parent / included[1], depth + 1).rstrip("\n"))
        elif not OMITTED.match(line):
            rows.append(line)
    return "".join(f"{row}\n" for row in rows if row)


def _lines(text: str) -> Iterator[str]:
    """Yield the logical lines of a requirements file: continued lines joined, comments removed."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = re.sub(r"(^|\s+)#.*$", "", line).strip()
        if plain:
            yield re.sub(r"\s{2,}", " ", plain)


def _requirements(place: Path) -> list[Path]:
    """Return the requirements files of a folder, the most likely lock first."""
    paths = [
        path
        for path in sorted(place.glob("requirements*.txt"))
        if not any(word in path.stem[len("requirements") :].lower() for word in NOT_FOR_TASKS)
    ]
    return sorted(paths, key=lambda path: (path.name != "requirements.txt", "lock" not in path.name))


def _pylock(path: Path) -> Lock:
    """Return a pylock.toml (PEP 751) as a requirements file."""
    try:
        content = tomllib.loads(_read(path))
        rows = [row for package in content["packages"] if (row := _pylock_line(package))]
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise RunError(
            f"{path} cannot be read: {error}", "recreate it: uv export --format pylock.toml"
        ) from None
    version = re.search(r"(\d\.\d+)", str(content.get("requires-python", "")))
    text = "".join(f"{row}\n" for row in rows)
    return Lock(kind="requirements", path=str(path), text=text, python=version[1] if version else "")


def _pylock_line(package: dict[str, Any]) -> str:
    """Return the requirements line of a package, or "" for the project itself, which is part of the snapshot."""
    if "directory" in package:
        return ""
    name = package["name"]
    if "vcs" in package:
        vcs = package["vcs"]
        line = f"{name} @ {vcs['type']}+{vcs['url']}@{vcs['commit-id']}"
    elif "archive" in package:
        line = f"{name} @ {package['archive']['url']}"
    else:
        line = f"{name}=={package['version']}"
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    hashes = sorted(
        {f"--hash=sha256:{file['hashes']['sha256']}" for file in files if "sha256" in file["hashes"]}
    )
    marker = f" ; {package['marker']}" if package.get("marker") else ""
    return " ".join([line + marker, *hashes])


def _made_for(text: str) -> str:
    match = PYTHON_COMMENT.search(text)
    return match[1] if match else ""


def _upward(folder: Path, root: Path) -> Iterator[Path]:
    yield folder
    for place in folder.parents:
        if not place.is_relative_to(root):
            return
        yield place


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RunError(
            f"{path} cannot be read: {reason}", "correct it, or name another environment in the study"
        ) from None
