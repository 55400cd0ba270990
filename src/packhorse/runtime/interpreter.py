"""The Python interpreter of a study's tasks: the active one, a named one, or one that uv builds."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.model.study import Environment
from packhorse.runtime.guarded import run_guarded

PYTHON = re.compile(r"python[23]?(\.\d+)?")
INSTALL_UV = "install uv: python3 -m pip install --user uv"
BUILD_SECONDS = 1800  # for uv to download and build packages


class Interpreter(Struct, frozen=True, kw_only=True):
    """The Python interpreter of a study.

    `path` are folders to prepend to PATH; of `variables`, those with the value None are removed. `inputs` are what the
    environment was built from, with digests of files.
    """

    kind: str
    python: str
    path: tuple[str, ...] = ()
    variables: dict[str, str | None] = {}
    description: str = ""
    notes: tuple[str, ...] = ()
    inputs: dict[str, str] = {}

    def environ(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a task: `env` with this interpreter first."""
        changed = {name: value for name, value in env.items() if name not in self.variables}
        changed |= {name: value for name, value in self.variables.items() if value is not None}
        if self.path:
            changed["PATH"] = os.pathsep.join([*self.path, env.get("PATH", os.defpath)])
        return changed


def resolve(environment: Environment, folder: Path, *, env: Mapping[str, str]) -> Interpreter:
    """Return the interpreter of a study; raise RunError where it does not exist.

    The kind `uv` builds or updates the environment of a project; the other kinds change nothing.
    """
    if environment.kind == "python":
        return _named(environment.path, folder, env)
    if environment.kind == "venv":
        return _venv(_absolute(environment.path or ".venv", folder), folder)
    if environment.kind == "uv":
        return _uv(environment.path, folder, env)
    return _active(folder, env)


def _active(folder: Path, env: Mapping[str, str]) -> Interpreter:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = Path(env.get(variable) or "/nowhere") / "bin" / "python"
        if _runs(python):
            what = "virtual environment" if variable == "VIRTUAL_ENV" else "conda environment"
            return _interpreter("none", python, description=f"the active {what} {env[variable]}")
    for name in ("python3", "python"):
        found = shutil.which(name, path=env.get("PATH", os.defpath))
        real = behind_shim(found, folder, env) if found else None
        if real:
            return _interpreter("none", Path(real), description=f"{name} on PATH, {real}")
    return _interpreter(
        "none",
        Path(sys.executable),
        description=f"the Python of packhorse, {sys.executable}",
        notes=(f"no python3 or python on PATH; using {sys.executable}",),
    )


def _interpreter(kind: str, python: Path, *, description: str, notes: tuple[str, ...] = ()) -> Interpreter:
    """Return an interpreter with its variables and inputs; the kind `none` leaves PATH unchanged."""
    inputs = {"kind": kind, "python": str(python)}
    prefix = python.parent.parent
    variables: dict[str, str | None] = {}
    if kind != "none":
        # PYTHONHOME of another Python would make this one look for its library there.
        variables = {"PYTHONHOME": None, "VIRTUAL_ENV": None}
        if (prefix / "pyvenv.cfg").exists():
            variables["VIRTUAL_ENV"] = str(prefix)
    if (prefix / "pyvenv.cfg").exists():
        inputs["pyvenv"] = _sha256(prefix / "pyvenv.cfg")
    path = () if kind == "none" else (str(python.parent),)
    return Interpreter(
        kind=kind,
        python=str(python),
        path=path,
        variables=variables,
        description=description,
        notes=notes,
        inputs=inputs,
    )


def _named(name: str, folder: Path, env: Mapping[str, str]) -> Interpreter:
    if "/" not in name and not name.startswith("~"):
        found = shutil.which(name, path=env.get("PATH", os.defpath))
        real = behind_shim(found, folder, env) if found else None
        if real:
            return _interpreter("python", Path(real), description=f"{name}, {real}")
    place = _absolute(name, folder)
    if place.is_dir() and (place / "pyvenv.cfg").exists():
        raise RunError(
            f"environment: {name} is a virtual environment, not an interpreter",
            f"write\n  environment:\n    venv: {name}",
        )
    if not _runs(place):
        pythons = ", ".join(sorted(filter(PYTHON.fullmatch, executables(env)))) or "none"
        raise RunError(
            f"environment: no Python interpreter at {place}",
            f"give the path of one, or a name on PATH; available on PATH: {pythons}",
        )
    return _interpreter("python", place, description=f"the interpreter {place}")


def _venv(place: Path, folder: Path) -> Interpreter:
    python = place / "bin" / "python"
    if _runs(python):
        return _interpreter("venv", python, description=f"the virtual environment {place}")
    quoted = shlex.quote(str(place))
    clear = " --clear" if place.is_dir() else ""
    packages = (
        f" && {quoted}/bin/pip install -r requirements.txt" if (folder / "requirements.txt").exists() else ""
    )
    reason = "its Python was removed" if python.is_symlink() else f"{python} does not exist"
    raise RunError(
        f"environment: {place} is not a working virtual environment: {reason}",
        f"create it:\n  python3 -m venv{clear} {quoted}{packages}",
    )


def _uv(path: str, folder: Path, env: Mapping[str, str]) -> Interpreter:
    project = _uv_project(path, folder)
    uv = find_uv(env)
    if uv is None:
        raise RunError(
            f"environment: uv is not installed, so {project} cannot be built",
            f"{INSTALL_UV}\nor name an existing environment:\n  environment:\n    venv: .venv",
        )
    locked = (project / "uv.lock").exists()
    # Inexact, as `uv run` is: packages that the user installed by hand stay.
    argv = [uv, "sync", "--inexact", "--project", str(project), *(["--frozen"] if locked else [])]
    _build(argv, project, env)
    place = project / env.get("UV_PROJECT_ENVIRONMENT", ".venv")
    if not _runs(place / "bin" / "python"):
        raise RunError(f"environment: uv sync did not create {place}", f"see its output: {shlex.join(argv)}")
    notes = () if locked else (f"{project} had no uv.lock; uv wrote one: commit it with the study",)
    built = _interpreter("uv", place / "bin" / "python", description=f"the uv project {project}", notes=notes)
    lock = project / "uv.lock"
    inputs = built.inputs | ({"uv.lock": _sha256(lock)} if lock.exists() else {})
    return Interpreter(
        kind="uv",
        python=built.python,
        path=built.path,
        variables=built.variables,
        description=built.description,
        notes=notes,
        inputs=inputs,
    )


def _uv_project(path: str, folder: Path) -> Path:
    search = path in {"", "true"}  # from the study's folder upwards
    start = folder if search else _absolute(path, folder)
    candidates = (start, *start.parents) if search else (start,)
    for place in candidates:
        if (place / "uv.lock").exists() or (place / "pyproject.toml").exists():
            return place
    raise RunError(
        f"environment: {start} is not a uv project: it has no uv.lock and no pyproject.toml",
        f"create one: cd {shlex.quote(str(start))} && uv init --bare && uv add numpy",
    )


def find_uv(env: Mapping[str, str]) -> str | None:
    """Return the path of uv, from PATH or from the folders of its installers; None where it is not installed."""
    home = Path(env.get("HOME", "/nowhere"))
    places = os.pathsep.join([env.get("PATH", os.defpath), f"{home}/.local/bin", f"{home}/.cargo/bin"])
    return shutil.which("uv", path=places)


def _build(argv: list[str], project: Path, env: Mapping[str, str]) -> None:
    clean = {name: value for name, value in env.items() if name != "VIRTUAL_ENV"}
    try:
        done = run_guarded(argv, project, clean, BUILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise RunError(
            f"environment: {shlex.join(argv)} took over {BUILD_SECONDS // 60} minutes", "run it once by hand"
        ) from None
    except OSError as trouble:
        raise RunError(f"environment: uv could not be started: {trouble.strerror}", INSTALL_UV) from None
    if done.returncode:
        errors = done.stderr.decode("utf-8", "replace").strip().splitlines()[-8:]
        raise RunError(
            "environment: uv sync failed:\n  " + "\n  ".join(errors),
            f"correct the project, then test it: {shlex.join(argv)}",
        )


def behind_shim(found: str, folder: Path, env: Mapping[str, str]) -> str | None:
    """Return the interpreter that a shim of pyenv, asdf or mise starts in `folder`, or None where it starts none.

    A shim chooses by its working directory, which for a task is a private copy elsewhere.
    """
    if Path(found).parent.name != "shims":
        return found
    try:
        done = subprocess.run(
            [found, "-c", "import sys; sys.stdout.write(sys.executable)"],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    real = os.fsdecode(done.stdout)
    return real if done.returncode == 0 and _runs(Path(real)) else None


def _absolute(path: str, folder: Path) -> Path:
    return Path(os.path.abspath(folder / Path(path).expanduser()))


def _runs(python: Path) -> bool:
    return python.is_file() and os.access(python, os.X_OK)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def executables(env: Mapping[str, str]) -> set[str]:
    """Return the names of all files in the folders on PATH."""
    names: set[str] = set()
    for place in env.get("PATH", os.defpath).split(os.pathsep):
        try:
            names.update(os.listdir(place or "."))
        except OSError:
            continue
    return names
