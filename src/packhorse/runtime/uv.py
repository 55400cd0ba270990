"""Downloads for a site: uv itself, and the wheels of a lock for another Python and machine."""

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

from packaging.tags import cpython_tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from packhorse.model.errors import RunError
from packhorse.model.site_python import SitePython
from packhorse.runtime.guarded import run_guarded
from packhorse.runtime.interpreter import INSTALL_UV, find_uv

DOWNLOAD_SECONDS = 900
GLIBC = (2, 17)  # required by manylinux2014, and the oldest on other machines than x86
# By the minor version of glibc that they need (PEP 600).
LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
LAST_LINES = 12  # of the output of a failed program


def uv_for(system: str, machine: str, cache: Path, env: Mapping[str, str]) -> tuple[Path, str]:
    """Return the path and version of a uv for the given system and machine: the installed one, else one from its wheel.

    Raise RunError where neither is available.
    """
    here = uv_here(env)
    if here and (platform.system(), platform.machine()) == (system, machine):
        done = subprocess.run([here, "--version"], capture_output=True, text=True, timeout=30, check=False)
        version = re.search(r"\d+(\.\d+)+", done.stdout)
        if version:
            return Path(here), version[0]
    return _from_wheel(system, machine, cache, env)


def _from_wheel(system: str, machine: str, cache: Path, env: Mapping[str, str]) -> tuple[Path, str]:
    if system != "Linux":
        raise RunError(f"no uv is available for {system} {machine}", "install uv on the site")
    # The wheels of uv are for glibc 2.17, or link musl and need none (uv's release notes).
    tags = [f"{tag}_{machine}" for tag in ("manylinux2014", "manylinux_2_28", "musllinux_1_1")]
    with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
        argv = ["download", "--no-deps", "--only-binary=:all:", "--dest", folder, "uv"]
        argv += [word for tag in tags for word in ("--platform", tag)]
        _pip(argv, env, "uv is not installed here, and its wheel could not be downloaded")
        wheel = next(Path(folder).glob("uv-*.whl"))
        version = str(parse_wheel_filename(wheel.name)[1])
        place = cache / "uv" / f"{version}-{machine}" / "uv"
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with zipfile.ZipFile(wheel) as archive:
            name = next(entry for entry in archive.namelist() if entry.endswith("/scripts/uv"))
            part = place.with_name(f"uv.{os.getpid()}")
            part.write_bytes(archive.read(name))
    part.chmod(0o755)
    part.replace(place)
    return place, version


def export_lock(project: Path, env: Mapping[str, str]) -> str:
    """Return the lock of a uv project in pip's format, without the project itself; raise RunError without uv."""
    uv = uv_here(env)
    if not uv:
        raise RunError("uv.lock can only be read by uv, which is not installed here", INSTALL_UV)
    argv = [uv, "export", "--frozen", "--no-emit-workspace", "--no-header", "--project", str(project)]
    done = subprocess.run(
        argv, env=dict(env), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        errors = "\n  ".join(done.stderr.strip().splitlines()[-LAST_LINES:])
        raise RunError(f"uv cannot read {project / 'uv.lock'}:\n  {errors}", "recreate it: uv lock")
    return done.stdout


def uv_here(env: Mapping[str, str]) -> str:
    """Return the path of uv on this machine, also beside the Python of packhorse, or "" where it is not installed."""
    return find_uv(env) or shutil.which("uv", path=str(Path(sys.executable).parent)) or ""


def wheels_for(text: str, python: SitePython, folder: Path, env: Mapping[str, str]) -> list[Path]:
    """Download the wheels of a lock for a site's Python into `folder`; raise RunError where one is missing."""
    lock = folder / "lock.txt"
    lock.write_text(text, encoding="utf-8")
    place = folder / "wheels"
    major, minor = Version(python.version).release[:2]
    # pip takes the tags of a Python that does not run here one kind at a time; up to 3.7 the ABI is cp37m.
    abis = dict.fromkeys(tag.abi for tag in cpython_tags((major, minor), platforms=["any"]))
    argv = ["download", "--only-binary=:all:", "--dest", str(place), "--requirement", str(lock)]
    argv += ["--python-version", f"{major}.{minor}", "--implementation", "cp"]
    argv += [word for abi in abis for word in ("--abi", abi)]
    argv += [word for tag in platforms(python.machine, python.libc) for word in ("--platform", tag)]
    _pip(
        argv,
        env,
        f"wheels for Python {major}.{minor} on {python.machine} could not be downloaded here either",
    )
    return sorted(place.iterdir())


def platforms(machine: str, libc: str) -> list[str]:
    """Return the platform tags of wheels that a Linux machine supports, newest first, by the glibc of its Python (PEP 600).

    packaging.tags knows only the machine that it runs on. Where the glibc is not known it is taken to be 2.17.
    """
    name, _, version = libc.partition(" ")
    try:
        major, newest = Version(version).release[:2] if name == "glibc" else GLIBC
    except ValueError:  # InvalidVersion, or no minor version
        major, newest = GLIBC
    if major != GLIBC[0]:
        major, newest = GLIBC
    oldest = 5 if machine in ("x86_64", "i686") else GLIBC[1]
    tags = []
    for minor in range(newest, oldest - 1, -1):
        tags.append(f"manylinux_{major}_{minor}_{machine}")
        if minor in LEGACY:
            tags.append(f"{LEGACY[minor]}_{machine}")
    return tags


def _pip(argv: Iterable[str], env: Mapping[str, str], failure: str) -> None:
    """Run pip with the first Python here that has it; raise RunError with the message `failure`."""
    errors: list[str] = []
    for python in (sys.executable, "python3", "python"):
        try:
            path = shutil.which(python, path=env.get("PATH", os.defpath)) or python
            pip = [path, "-m", "pip", "--disable-pip-version-check", *argv]
            done = run_guarded(pip, os.curdir, env, DOWNLOAD_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            errors = errors or [str(error)]
            continue
        if done.returncode == 0:
            return
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        if "No module named pip" not in output:
            errors = output.strip().splitlines()[-LAST_LINES:]
            break
        errors = errors or ["no Python here has pip"]
    raise RunError(f"{failure}:\n  " + "\n  ".join(errors), "check that this machine is online")
