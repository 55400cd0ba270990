"""Which interpreter runs the tasks: the active one, a named one, or one that uv builds."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.model.study import Environment

PYTHON = re.compile(r"python[23]?(\.\d+)?")
INSTALL_UV = "install uv: python3 -m pip install --user uv"
# Building an environment downloads packages, sometimes a compiler's worth of them.
BUILD_SECONDS = 1800


class Interpreter(Struct, frozen=True, kw_only=True):
    """The Python of a study: `path` are folders to put first on PATH, `variables` None where to be removed."""

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
    """Return the interpreter a study asks for; RunError with the cure where it is not there.

    `uv` builds or updates the environment of the project; the other kinds only look.
    """
    if environment.kind == "python":
        return _named(environment.path, folder, env)
    if environment.kind == "venv":
        return _venv(_place(environment.path or ".venv", folder), folder)
    if environment.kind == "uv":
        return _uv(environment.path, folder, env)
    return _active(folder, env)


def _active(folder: Path, env: Mapping[str, str]) -> Interpreter:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        python = Path(env.get(variable) or "/nowhere") / "bin" / "python"
        if _runs(python):
            word = "virtual environment" if variable == "VIRTUAL_ENV" else "conda environment"
            return _interpreter("none", python, description=f"the active {word} {env[variable]}")
    for name in ("python3", "python"):
        found = shutil.which(name, path=env.get("PATH", os.defpath))
        real = behind_shim(found, folder, env) if found else None
        if real:
            return _interpreter("none", Path(real), description=f"{name} on PATH, {real}")
    return _interpreter(
        "none",
        Path(sys.executable),
        description=f"the Python of packhorse, {sys.executable}",
        notes=(f"no python3 or python on PATH: {sys.executable} is used",),
    )


def _interpreter(kind: str, python: Path, *, description: str, notes: tuple[str, ...] = ()) -> Interpreter:
    """Make the value; with kind none PATH stays as it is."""
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


def _named(word: str, folder: Path, env: Mapping[str, str]) -> Interpreter:
    if "/" not in word and not word.startswith("~"):
        found = shutil.which(word, path=env.get("PATH", os.defpath))
        real = behind_shim(found, folder, env) if found else None
        if real:
            return _interpreter("python", Path(real), description=f"{word}, {real}")
    place = _place(word, folder)
    if place.is_dir() and (place / "pyvenv.cfg").exists():
        raise RunError(
            f"environment: {word} is a virtual environment, not an interpreter",
            f"write\n  environment:\n    venv: {word}",
        )
    if not _runs(place):
        pythons = ", ".join(sorted(_pythons(env))) or "none"
        raise RunError(
            f"environment: no Python interpreter at {place}",
            f"give the path of one, or a name on PATH; found there: {pythons}",
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
    why = "its Python is gone" if python.is_symlink() else f"{python} does not exist"
    raise RunError(
        f"environment: {place} is no virtual environment that works: {why}",
        f"make it:\n  python3 -m venv{clear} {quoted}{packages}",
    )


def _uv(word: str, folder: Path, env: Mapping[str, str]) -> Interpreter:
    project = _uv_project(word, folder)
    uv = find_uv(env)
    if uv is None:
        raise RunError(
            f"environment: uv is to provide {project}, and uv is not installed",
            f"{INSTALL_UV}\nor name an environment that is there:\n  environment:\n    venv: .venv",
        )
    locked = (project / "uv.lock").exists()
    # Inexact, as `uv run` is: what the user added to the environment by hand stays.
    argv = [uv, "sync", "--inexact", "--project", str(project), *(["--frozen"] if locked else [])]
    _build(argv, project, env)
    place = project / env.get("UV_PROJECT_ENVIRONMENT", ".venv")
    if not _runs(place / "bin" / "python"):
        raise RunError(f"environment: uv sync made no {place}", f"look at what it says: {shlex.join(argv)}")
    notes = () if locked else (f"{project} had no uv.lock: uv wrote one, commit it with the study",)
    made = _interpreter("uv", place / "bin" / "python", description=f"the uv project {project}", notes=notes)
    lock = project / "uv.lock"
    inputs = made.inputs | ({"uv.lock": _sha256(lock)} if lock.exists() else {})
    return Interpreter(
        kind="uv",
        python=made.python,
        path=made.path,
        variables=made.variables,
        description=made.description,
        notes=notes,
        inputs=inputs,
    )


def _uv_project(word: str, folder: Path) -> Path:
    start = folder if word in {"", "true"} else _place(word, folder)
    candidates = (start, *start.parents) if word in {"", "true"} else (start,)
    for place in candidates:
        if (place / "uv.lock").exists() or (place / "pyproject.toml").exists():
            return place
    raise RunError(
        f"environment: {start} is no uv project: no uv.lock and no pyproject.toml",
        f"make one: cd {shlex.quote(str(start))} && uv init --bare && uv add numpy",
    )


def find_uv(env: Mapping[str, str]) -> str | None:
    """Return uv from PATH, or from where its installers put it."""
    home = Path(env.get("HOME", "/nowhere"))
    places = os.pathsep.join([env.get("PATH", os.defpath), f"{home}/.local/bin", f"{home}/.cargo/bin"])
    return shutil.which("uv", path=places)


def _build(argv: list[str], project: Path, env: Mapping[str, str]) -> None:
    clean = {name: value for name, value in env.items() if name != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            argv,
            cwd=project,
            env=clean,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RunError(
            f"environment: {shlex.join(argv)} took over half an hour", "run it by hand once"
        ) from None
    except OSError as trouble:
        raise RunError(f"environment: uv does not start: {trouble.strerror}", INSTALL_UV) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-8:]
        raise RunError(
            "environment: uv sync failed:\n  " + "\n  ".join(said), f"repair it by hand: {shlex.join(argv)}"
        )


def _pythons(env: Mapping[str, str]) -> Iterator[str]:
    return (name for name in executables(env) if PYTHON.fullmatch(name))


def behind_shim(found: str, folder: Path, env: Mapping[str, str]) -> str | None:
    """Return the interpreter that a shim of pyenv, asdf or mise starts in `folder`, None where it starts none.

    A shim chooses by the directory it is started in, which for a task is a private copy elsewhere.
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


def _place(word: str, folder: Path) -> Path:
    return Path(os.path.abspath(folder / Path(word).expanduser()))


def _runs(python: Path) -> bool:
    return python.is_file() and os.access(python, os.X_OK)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def executables(env: Mapping[str, str]) -> set[str]:
    """Return the names of everything on PATH."""
    found: set[str] = set()
    for place in env.get("PATH", os.defpath).split(os.pathsep):
        try:
            found.update(os.listdir(place or "."))
        except OSError:
            continue
    return found
