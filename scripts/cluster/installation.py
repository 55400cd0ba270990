"""A Packhorse that ordinary users can run: built from this checkout, made anew when its source has changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import daemons
from place import CHECKOUT, Cluster, Refused

REQUIREMENTS = ("requirements/run.txt", "requirements/demo.txt")  # Packhorse's own, and those of the examples
READY = "ready"  # the last file of an installation: without it, it was cut off
SOURCE = ("src", "pyproject.toml", "README.md", "LICENSE", *REQUIREMENTS)


def install(cluster: Cluster) -> str:
    """Install this checkout as it is now and return its digest; quick when it has been installed before.

    A digest has an environment of its own, and `current` is switched to it, so that what runs keeps its code.
    """
    python = interpreter(cluster)
    here = cluster.path("packhorse")
    here.mkdir(mode=0o755, exist_ok=True)
    name = digest(SOURCE, python)
    if not (here / name / READY).exists():
        requirements = here / f"requirements-{digest(REQUIREMENTS, python)}"
        if not requirements.is_dir():
            _environment(requirements, python, beside(cluster, requirements.name))
        _with_packhorse(requirements, here / name)
    link = here / "current.new"
    link.unlink(missing_ok=True)
    link.symlink_to(name)
    link.rename(here / "current")
    _forget(here, name)
    return name


def digest(names: tuple[str, ...], python: str) -> str:
    """Return a digest of files and folders of the checkout, and of the interpreter."""
    total = hashlib.sha256(python.encode())
    for name in names:
        top = CHECKOUT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                total.update(f"{path.relative_to(CHECKOUT)}\0".encode())
                total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]


def interpreter(cluster: Cluster) -> str:
    """Return an interpreter that is new enough and that ordinary users can start."""
    wanted = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    base = os.path.realpath(sys.executable)
    names = [base, "/usr/bin/python3"] + [
        shutil.which(f"python3.{minor}") or "" for minor in (14, 13, 12, 11)
    ]
    user = daemons.as_user(cluster.users[0] if cluster.root else None)
    for name in filter(None, names):
        try:
            started = subprocess.run([name, "-c", wanted], cwd="/", capture_output=True, check=False, **user)
        except OSError:  # not there, or in a folder that is closed to the user
            continue
        if started.returncode == 0:
            return name
    raise Refused(
        "No Python of 3.11 or newer that ordinary users can start was found (tried: "
        + ", ".join(names)
        + ").\n"
        "On Debian, as root: apt-get install python3"
    )


def beside(cluster: Cluster, name: str) -> Path | None:
    """Return the environment of that name that another cluster of ours beside this one has, or None."""
    for found in cluster.directory.parent.glob(f"*/packhorse/{name}"):
        whole = found.is_dir() and (found.parents[1] / "cluster.json").is_file()
        if whole and all(path.stat().st_uid == os.geteuid() for path in (found, *list(found.parents)[:2])):
            return found
    return None


def _environment(place: Path, python: str, made_before: Path | None) -> None:
    """Make an environment with what Packhorse needs, each file checked by its hash, or copy one that was made so."""
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        made = Path(scratch) / "new"
        if made_before is not None:
            shutil.copytree(made_before, made, symlinks=True)
        else:
            _run([python, "-m", "venv", "--without-pip", made])
            for name in REQUIREMENTS:
                _pip("--python", made / "bin/python", "install", "--require-hashes", "-r", CHECKOUT / name)
        made.rename(place)


def _with_packhorse(requirements: Path, place: Path) -> None:
    """Add Packhorse, as the wheel that a user would install, to a copy of an environment."""
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        wheels = Path(scratch) / "wheels"
        _pip("wheel", "--no-index", "--no-build-isolation", "--no-deps", "--wheel-dir", wheels, CHECKOUT)
        shutil.rmtree(place, ignore_errors=True)  # of an installation that was cut off
        # Files are shared by hard links: nothing in them is ever changed.
        shutil.copytree(requirements, place, symlinks=True, copy_function=os.link)
        _pip("--python", place / "bin/python", "install", "--no-index", "--no-deps", *wheels.glob("*.whl"))
        (place / READY).touch()


def _pip(*words: str | Path) -> None:
    _run([sys.executable, "-m", "pip", "--quiet", *words])


def _run(argv: list[str | Path]) -> None:
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, umask=0o022
    )
    if done.returncode:
        raise Refused(
            f"{' '.join(map(str, argv))} failed:\n{done.stdout[-3000:]}\nIs .venv there? Type: make env"
        )


def _forget(here: Path, current: str) -> None:
    """Remove installations but the latest ten, since jobs may still run on an older one."""
    made = [
        path for path in here.iterdir() if path.is_dir() and not path.is_symlink() and "-" not in path.name
    ]
    made.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in made[10:]:
        if path.name != current:
            shutil.rmtree(path)
