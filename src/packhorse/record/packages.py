"""Installed packages of a Python or R interpreter, cached until its installation changes."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from packhorse.record.software import Package, PythonSoftware, RSoftware

Reply = TypeVar("Reply", PythonSoftware, RSoftware)
SECONDS = 60
LOCKS = (
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock", "conda-lock.yml", "environment.yml"),
    *("renv.lock", "pyproject.toml", "DESCRIPTION"),
)

# Runs under Python 3.6 and later; modules in the working directory must not be imported.
PYTHON_PROBE = r"""
import json, os, platform, sys
sys.path[:] = [p for p in sys.path if p]
found = {"version": platform.python_version(), "implementation": platform.python_implementation(),
         "build": sys.version, "executable": sys.executable, "prefix": sys.prefix,
         "paths": [p for p in sys.path if os.path.isdir(p)], "packages": []}
try:
    from importlib.metadata import distributions
    seen = set()
    for d in distributions():
        name = d.metadata["Name"] if d.metadata else None
        if name and name.lower() not in seen:
            seen.add(name.lower())
            row = {"name": name, "version": d.version}
            direct = json.loads(d.read_text("direct_url.json") or "{}")
            if direct.get("dir_info", {}).get("editable"):
                row["editable"] = direct.get("url", "")
            elif direct.get("vcs_info"):
                row["commit"] = direct["vcs_info"].get("commit_id", "")
            found["packages"].append(row)
except ImportError:
    try:
        import pkg_resources
        found["packages"] = [{"name": d.project_name, "version": d.version} for d in pkg_resources.working_set]
    except ImportError:
        found["note"] = "this Python cannot list its packages"
found["packages"].sort(key=lambda row: row["name"].lower())
def report():
    sys.stdout.write("\n@packhorse " + json.dumps(found) + "\n")
    sys.stdout.flush()
report()  # a NumPy that crashes on import must not lose the list of packages
try:
    import numpy
    found["numpy"] = {"version": numpy.__version__}
    try:
        built = numpy.show_config(mode="dicts")["Build Dependencies"]
        found["numpy"].update((k, {n: built[k].get(n) for n in ("name", "version", "openblas configuration")
                                   if built[k].get(n)}) for k in ("blas", "lapack") if k in built)
    except Exception:
        found["numpy"]["note"] = "numpy before 1.26 does not report its BLAS"
    import ctypes
    maps = open("/proc/self/maps").read() if os.path.exists("/proc/self/maps") else ""
    libraries = sorted(set(line.split(None, 5)[5] for line in maps.splitlines() if "blas" in line.lower()))
    found["numpy"]["libraries"] = libraries
    for library in libraries:
        loaded = ctypes.CDLL(library)
        for name in ("scipy_openblas_get_num_threads64_", "scipy_openblas_get_num_threads",
                     "openblas_get_num_threads64_", "openblas_get_num_threads"):
            if hasattr(loaded, name):
                found["numpy"]["threads"] = int(getattr(loaded, name)())
                break
except Exception as trouble:
    if not isinstance(trouble, ImportError):
        found["numpy_note"] = repr(trouble)
report()
"""

R_PROBE = r"""
cat("\n")
report <- function(...) cat("@packhorse", ..., sep = "\t", fill = FALSE)
report("version", R.version.string); cat("\n")
report("platform", R.version$platform); cat("\n")
report("home", R.home()); cat("\n")
soft <- tryCatch(extSoftVersion(), error = function(e) c(BLAS = ""))
report("blas", soft[["BLAS"]]); cat("\n")
report("lapack", tryCatch(La_library(), error = function(e) ""), La_version()); cat("\n")
report("rng", paste(RNGkind(), collapse = ", ")); cat("\n")
for (path in .libPaths()) { report("library", path); cat("\n") }
rows <- installed.packages()
for (i in seq_len(nrow(rows))) { report("package", rows[i, "Package"], rows[i, "Version"]); cat("\n") }
"""


def python_packages(python: str, env: Mapping[str, str], cache: Path | None = None) -> PythonSoftware:
    """Return version, packages and BLAS of a Python interpreter, or a `note` with the reason where it fails.

    `cache` is a folder; without one, the interpreter runs at every call.
    """

    def ask() -> PythonSoftware:
        output, error = ask_interpreter([python, "-c", PYTHON_PROBE], env, Path("/"))
        note = f"{python} did not report its packages: {error}"
        return parse_python_reply(output) or PythonSoftware(executable=python, note=note)

    # The result depends on these variables, besides the interpreter and its folders.
    key = [
        python,
        *(env.get(name, "") for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "HOME")),
    ]
    return _cached(PythonSoftware, key, [python], cache, ask)


def parse_python_reply(output: str) -> PythonSoftware | None:
    """Return the last complete report that PYTHON_PROBE printed; None where it printed none."""
    for line in reversed(output.splitlines()):
        if line.startswith("@packhorse "):
            try:
                return msgspec.convert(json.loads(line.removeprefix("@packhorse ")), PythonSoftware)
            except (ValueError, msgspec.ValidationError):
                continue
    return None


def r_packages(rscript: str, folder: Path, env: Mapping[str, str], cache: Path | None = None) -> RSoftware:
    """Return version, packages and BLAS of R, started in `folder` with its .Rprofile and renv."""

    def ask() -> RSoftware:
        return parse_r_reply(rscript, *ask_interpreter([rscript, "-e", R_PROBE], env, folder))

    local = [str(folder / name) for name in (".Rprofile", "renv.lock", ".Renviron")]
    key = [
        rscript,
        str(folder),
        *(env.get(name, "") for name in ("R_LIBS", "R_LIBS_USER", "R_HOME", "HOME")),
    ]
    return _cached(RSoftware, key, [rscript, *local], cache, ask)


def parse_r_reply(rscript: str, output: str, error: str) -> RSoftware:
    """Return the facts that R_PROBE printed, or a `note` with the reason where it printed none."""
    rows = [line.split("\t")[1:] for line in output.splitlines() if line.startswith("@packhorse\t")]
    if not rows:
        return RSoftware(executable=rscript, note=f"{rscript} did not report its packages: {error}")
    first = {row[0]: row[1] for row in rows if len(row) > 1}
    lapack = next((row for row in rows if row[0] == "lapack"), ["lapack", "", ""])
    packages = {row[1]: row[2] for row in reversed(rows) if row[0] == "package" and len(row) == 3}
    return RSoftware(
        executable=rscript,
        version=first.get("version", ""),
        platform=first.get("platform", ""),
        home=first.get("home", ""),
        blas=first.get("blas", ""),
        lapack=lapack[1],
        lapack_version=lapack[-1],
        rng=first.get("rng", ""),
        paths=tuple(row[1] for row in rows if row[0] == "library" and len(row) > 1),
        packages=tuple(Package(name=name, version=packages[name]) for name in sorted(packages)),
    )


def lock_files(folders: list[Path]) -> dict[str, str]:
    """Return {path: sha256} of the lock and requirements files in these folders."""
    digests = {}
    for folder in dict.fromkeys(folders):
        named = [folder / name for name in LOCKS]
        for place in [*named, *sorted(folder.glob("requirements*.txt"))]:
            try:
                digests[str(place)] = hashlib.sha256(place.read_bytes()).hexdigest()
            except OSError:
                continue
    return digests


def ask_interpreter(argv: list[str], env: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """Run an interpreter; return its standard output, and the last line of its errors or another reason for no output."""
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", f"no reply within {SECONDS} s"
    except OSError as error:
        return "", error.strerror or "it could not be started"
    errors = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return done.stdout.decode("utf-8", "replace"), errors[-1] if errors else f"exit status {done.returncode}"


def _cached(
    shape: type[Reply], key: list[str], watched: list[str], cache: Path | None, ask: Callable[[], Reply]
) -> Reply:
    """Return the cached answer while the interpreter and its package folders are unchanged, else call `ask`.

    Installing, upgrading or removing a package renames its metadata folder, which changes the mtime of the parent.
    """
    if cache is None:
        return ask()
    # Machines with different numbers of cores may share a home, so the host name is part of the key.
    digest = hashlib.sha256("\0".join([socket.gethostname(), *key]).encode("utf-8", "replace")).hexdigest()
    kind = "python" if shape is PythonSoftware else "r"
    place = cache / f"{kind}-{digest[:16]}.json"
    try:
        entry = json.loads(place.read_bytes())
        cached: Reply = msgspec.convert(entry["answer"], shape)
        if entry["marks"] == _marks([*watched, *(cached.paths or ())]):
            return cached
    except (OSError, ValueError, KeyError, TypeError, msgspec.ValidationError):
        pass  # no entry, or one of another version
    answer: Reply = ask()
    if answer.note is None:
        marks = _marks([*watched, *(answer.paths or ())])
        _write_cache(place, {"marks": marks, "answer": msgspec.to_builtins(answer)})
    return answer


def _marks(paths: list[str]) -> list[list[str | int | None]]:
    """Return (path, mtime, inode) of each path, which change with its content."""
    marks: list[list[str | int | None]] = []
    for path in paths:
        try:
            status = Path(path).stat()
            marks.append([path, status.st_mtime_ns, status.st_ino])
        except OSError:
            marks.append([path, None, None])
    return marks


def _write_cache(place: Path, content: dict[str, Any]) -> None:
    """Write a cache entry; on failure the interpreter is only asked again."""
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(6)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(place)
    except OSError:
        temporary.unlink(missing_ok=True)
