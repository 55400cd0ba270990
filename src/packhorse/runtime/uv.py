"""What can be fetched here for a site: uv itself, and the wheels of a lock for another Python and machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from packaging.tags import cpython_tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from packhorse.model.errors import RunError
from packhorse.runtime.interpreter import INSTALL_UV, find_uv

FETCH_SECONDS = 900
GLIBC = (2, 17)  # what manylinux2014 needs, and the oldest beside x86
# By the minor version of glibc that they need (PEP 600).
LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
LAST = 12  # lines of a program that failed


def uv_for(system: str, machine: str, cache: Path, env: Mapping[str, str]) -> tuple[Path, str]:
    """Return a uv that runs on a machine of another kind, and its version: the one here, else one from its wheel.

    Raises RunError where none is to be had.
    """
    here = uv_here(env)
    if here and (platform.system(), platform.machine()) == (system, machine):
        said = subprocess.run([here, "--version"], capture_output=True, text=True, timeout=30, check=False)
        found = re.search(r"\d+(\.\d+)+", said.stdout)
        if found:
            return Path(here), found[0]
    return _from_wheel(system, machine, cache, env)


def _from_wheel(system: str, machine: str, cache: Path, env: Mapping[str, str]) -> tuple[Path, str]:
    if system != "Linux":
        raise RunError(f"there is no uv here for {system} {machine}", "install uv on the site")
    # The wheels of uv are for glibc 2.17, or link musl and need none (uv's release notes).
    platforms = [f"{tag}_{machine}" for tag in ("manylinux2014", "manylinux_2_28", "musllinux_1_1")]
    with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
        argv = ["download", "--no-deps", "--only-binary=:all:", "--dest", folder, "uv"]
        argv += [word for one in platforms for word in ("--platform", one)]
        _pip(argv, env, "uv is not installed here, and its wheel could not be fetched")
        wheel = next(Path(folder).glob("uv-*.whl"))
        version = str(parse_wheel_filename(wheel.name)[1])
        place = cache / "uv" / f"{version}-{machine}" / "uv"
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with zipfile.ZipFile(wheel) as archive:
            name = next(one for one in archive.namelist() if one.endswith("/scripts/uv"))
            part = place.with_name(f"uv.{os.getpid()}")
            part.write_bytes(archive.read(name))
    part.chmod(0o755)
    part.replace(place)
    return place, version


def export_lock(project: Path, env: Mapping[str, str]) -> str:
    """Return the lock of a uv project in the words of pip, without the project itself; RunError where uv is not here."""
    uv = uv_here(env)
    if not uv:
        raise RunError("uv is not installed here, and only uv can read uv.lock", INSTALL_UV)
    argv = [uv, "export", "--frozen", "--no-emit-workspace", "--no-header", "--project", str(project)]
    done = subprocess.run(
        argv, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        said = "\n  ".join(done.stderr.strip().splitlines()[-LAST:])
        raise RunError(f"uv cannot read {project / 'uv.lock'}:\n  {said}", "make it anew: uv lock")
    return done.stdout


def uv_here(env: Mapping[str, str]) -> str:
    """Return the uv of this machine, also one beside the Python of packhorse; "" where there is none."""
    return find_uv(env) or shutil.which("uv", path=str(Path(sys.executable).parent)) or ""


def wheels_for(text: str, about: Mapping[str, Any], folder: Path, env: Mapping[str, str]) -> list[Path]:
    """Fetch the wheels of a lock for a site's Python, of which `about` tells; RunError where one is missing."""
    lock = folder / "lock.txt"
    lock.write_text(text, encoding="utf-8")
    place = folder / "wheels"
    major, minor = Version(about["version"]).release[:2]
    # pip takes the tags of a Python that does not run here one kind at a time; up to 3.7 the ABI is cp37m.
    abis = dict.fromkeys(tag.abi for tag in cpython_tags((major, minor), platforms=["any"]))
    argv = ["download", "--only-binary=:all:", "--dest", str(place), "--requirement", str(lock)]
    argv += ["--python-version", f"{major}.{minor}", "--implementation", "cp"]
    argv += [word for abi in abis for word in ("--abi", abi)]
    argv += [word for tag in platforms(about) for word in ("--platform", tag)]
    _pip(
        argv, env, f"wheels for Python {major}.{minor} on {about['machine']} could not be fetched here either"
    )
    return sorted(place.iterdir())


def platforms(about: Mapping[str, Any]) -> list[str]:
    """Return the platform tags of wheels that a Linux machine takes, the newest first, by the glibc of its Python.

    packaging.tags knows those of the machine that it runs on alone. Without a glibc that is known it is 2.17.
    """
    libc, _, said = str(about.get("libc", "")).partition(" ")
    try:
        major, newest = Version(said).release[:2] if libc == "glibc" else GLIBC
    except ValueError:  # InvalidVersion, or no minor version
        major, newest = GLIBC
    if major != GLIBC[0]:
        major, newest = GLIBC
    machine = about["machine"]
    oldest = 5 if machine in ("x86_64", "i686") else GLIBC[1]
    tags = []
    for minor in range(newest, oldest - 1, -1):
        tags.append(f"manylinux_{major}_{minor}_{machine}")
        if minor in LEGACY:
            tags.append(f"{LEGACY[minor]}_{machine}")
    return tags


def _pip(argv: Iterable[str], env: Mapping[str, str], wrong: str) -> None:
    """Run pip, of any Python here that has it."""
    words = ["-m", "pip", "--disable-pip-version-check", *argv]
    said: list[str] = []
    for python in (sys.executable, "python3", "python"):
        try:
            done = subprocess.run(
                [python, *words],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=FETCH_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            said = said or [str(error)]
            continue
        if done.returncode == 0:
            return
        if "No module named pip" not in done.stderr:
            said = (done.stdout + done.stderr).strip().splitlines()[-LAST:]
            break
        said = said or ["no Python here has pip"]
    raise RunError(f"{wrong}:\n  " + "\n  ".join(said), "is this machine online?")
