"""The lock of a study: the file near it that says which packages, each in one version."""

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
    "packhorse-lock.txt"  # made where there is no other lock; `run.code` does not count it as code
)
HEAD = "# Made by packhorse"
PINNED = re.compile(r"[A-Za-z0-9][\w.-]*\s*(\[[^\]]*\])?\s*(===?\s*[^\s;*,]+|@\s*\S+)\s*(;.*)?$")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
# The project itself comes as code; constraints say nothing where all is pinned, and their file does not come along.
LEFT_OUT = re.compile(r"(-e|--editable)\s+\.(/\S*)?$|\.(/\S*)?$|(-c|--constraint)\b")
# What packhorse, pip-compile and uv write of the Python for which they made a lock.
MADE_FOR = re.compile(r"^#.*(?:Python |--python-version[= ])(\d\.\d+)", re.MULTILINE)
NOT_FOR_TASKS = ("dev", "test", "doc", "lint")  # in the name of a requirements file


class Lock(Struct, frozen=True, kw_only=True):
    """What is to be installed: a text for pip, or a project of uv with the files that uv reads."""

    kind: Literal["requirements", "uv"]
    path: str  # of the file
    text: str
    files: dict[str, str] = {}
    python: str = ""  # the version that it was made for: 3.11

    @property
    def digest(self) -> str:
        """Return what tells it from any other lock; its comments do not."""
        lines = [line for line in self.text.splitlines() if line and not line.startswith("#")]
        whole = json.dumps([self.kind, lines, self.files], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()

    @property
    def count(self) -> int:
        """Return how many packages it names."""
        head = r"^\[\[package\]\]" if self.kind == "uv" else r"^[A-Za-z0-9]"
        return len(re.findall(head, self.text, re.MULTILINE))


def find_lock(folder: Path, root: Path) -> Lock | None:
    """Return the nearest lock, from the study's folder up to the project's root."""
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
    """Return the lock of a uv project, with the files that uv needs to install it; raise RunError where there is none."""
    if not (place / "uv.lock").is_file():
        raise RunError(
            f"environment: {place} has no uv.lock", f"make it, and commit it: uv lock --project {place}"
        )
    text = _read(place / "uv.lock")
    names = [place / name for name in ("pyproject.toml", ".python-version", "uv.toml")]
    members = [place / one for one in re.findall(r'(?:editable|virtual) = "([^".][^"]*)"', text)]
    names += [member / "pyproject.toml" for member in members]
    files = {path.relative_to(place).as_posix(): _read(path) for path in names if path.is_file()}
    return Lock(kind="uv", path=str(place / "uv.lock"), text=text, files=files)


def unpinned_names(folder: Path, root: Path) -> tuple[list[str], str]:
    """Return the packages that the nearest requirements file names without pinning them all, and its name."""
    for place in _upward(folder, root):
        for path in _requirements(place):
            lines = [line for line in _lines(inline_requirements(path)) if not line.startswith("-")]
            found = [match[0] for line in lines if (match := NAME.match(line))]
            if found:
                return found, path.name
    return [], ""


def pinned_python(folder: Path, root: Path) -> str:
    """Return the version that the nearest .python-version says: 3.11, or nothing."""
    for place in _upward(folder, root):
        if (place / ".python-version").is_file():
            found = re.search(r"\d\.\d+", _read(place / ".python-version"))
            return found[0] if found else ""
    return ""


def oldest_python(folder: Path, root: Path) -> tuple[int, int] | None:
    """Return the oldest Python that the nearest pyproject.toml allows."""
    for place in _upward(folder, root):
        if (place / "pyproject.toml").is_file():
            try:
                said = tomllib.loads(_read(place / "pyproject.toml"))["project"]["requires-python"]
            except (KeyError, TypeError, tomllib.TOMLDecodeError):
                return None
            found = re.search(r"(?:>=?|~=|==)\s*(\d+)\.(\d+)", str(said))
            return (int(found[1]), int(found[2])) if found else None
    return None


def make_lock(folder: Path, python: str, modules: list[str], lines: list[str], why: str) -> Lock:
    """Return the lock that is made for a study, and belongs beside it."""
    head = (
        f"{HEAD} for Python {python}, {why}.\n"
        "# Environments on other machines are built from it. Commit it with the study; edit it as you like, or\n"
        "# remove it, and it is made anew from what is installed here.\n"
        f"# imported: {', '.join(modules)}\n"
    )
    text = head + "".join(f"{line}\n" for line in lines)
    return Lock(kind="requirements", path=str(folder / GENERATED_LOCK), text=text, python=python)


def locked_modules(lock: Lock) -> list[str] | None:
    """Return the modules for which a lock of ours was made; None for one that somebody else made."""
    if Path(lock.path).name != GENERATED_LOCK or not lock.text.startswith(HEAD):
        return None
    found = re.search(r"^# imported: (.*)$", lock.text, re.MULTILINE)
    return [one.strip() for one in found[1].split(",") if one.strip()] if found else None


def is_pinned(text: str) -> bool:
    """Tell whether every package of a requirements file has one version."""
    lines = [re.sub(r"\s--hash[= ]\S+", "", line).strip() for line in _lines(text)]
    named = [line for line in lines if not line.startswith("-")]
    return bool(named) and all(PINNED.match(line) for line in named)


def inline_requirements(path: Path, depth: int = 0) -> str:
    """Return a requirements file with the files that it names in place, without comments, and without the project itself."""
    rows = [line for line in _read(path).splitlines() if line.startswith("#")] if depth == 0 else []
    for line in _lines(_read(path)):
        named = re.match(r"(?:-r|--requirement)[= ]?\s*(\S+)$", line)
        if named and depth < 10:
            rows.append(inline_requirements(path.parent / named[1], depth + 1).rstrip("\n"))
        elif not LEFT_OUT.match(line):
            rows.append(line)
    return "".join(f"{row}\n" for row in rows if row)


def _lines(text: str) -> Iterator[str]:
    """Yield the logical lines of a requirements file: continued ones joined, comments gone."""
    for line in text.replace("\\\n", " ").splitlines():
        plain = re.sub(r"(^|\s+)#.*$", "", line).strip()
        if plain:
            yield re.sub(r"\s{2,}", " ", plain)


def _requirements(place: Path) -> list[Path]:
    """Return the requirements files of a folder, the likeliest first."""
    found = [
        path
        for path in sorted(place.glob("requirements*.txt"))
        if not any(word in path.stem[len("requirements") :].lower() for word in NOT_FOR_TASKS)
    ]
    return sorted(found, key=lambda path: (path.name != "requirements.txt", "lock" not in path.name))


def _pylock(path: Path) -> Lock:
    """Return a pylock.toml (PEP 751) in the words of pip."""
    try:
        said = tomllib.loads(_read(path))
        rows = [row for one in said["packages"] if (row := _pylock_line(one))]
    except (KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise RunError(
            f"{path} cannot be read: {error}", "make it anew: uv export --format pylock.toml"
        ) from None
    found = re.search(r"(\d\.\d+)", str(said.get("requires-python", "")))
    text = "".join(f"{row}\n" for row in rows)
    return Lock(kind="requirements", path=str(path), text=text, python=found[1] if found else "")


def _pylock_line(one: dict[str, Any]) -> str:
    if "directory" in one:
        return ""  # the project itself, which comes as code
    if "vcs" in one:
        vcs = one["vcs"]
        line = f"{one['name']} @ {vcs['type']}+{vcs['url']}@{vcs['commit-id']}"
    elif "archive" in one:
        line = f"{one['name']} @ {one['archive']['url']}"
    else:
        line = f"{one['name']}=={one['version']}"
    files = [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])]
    hashes = sorted(
        {f"--hash=sha256:{file['hashes']['sha256']}" for file in files if "sha256" in file["hashes"]}
    )
    marker = f" ; {one['marker']}" if one.get("marker") else ""
    return " ".join([line + marker, *hashes])


def _made_for(text: str) -> str:
    found = MADE_FOR.search(text)
    return found[1] if found else ""


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
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RunError(
            f"{path} cannot be read: {why}", "mend it, or name another environment in the study"
        ) from None
