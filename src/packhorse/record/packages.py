"""What an interpreter has installed, asked of itself once and then remembered."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SECONDS = 60
LOCKS = (
    *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pixi.lock", "conda-lock.yml", "environment.yml"),
    *("renv.lock", "pyproject.toml", "DESCRIPTION"),
)

# Runs under any Python from 3.6 on; the working directory must not offer modules of its own.
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
def tell():
    sys.stdout.write("\n@packhorse " + json.dumps(found) + "\n")
    sys.stdout.flush()
tell()  # a NumPy that crashes on import must not take the list of packages with it
try:
    import numpy
    found["numpy"] = {"version": numpy.__version__}
    try:
        built = numpy.show_config(mode="dicts")["Build Dependencies"]
        found["numpy"].update((k, {n: built[k].get(n) for n in ("name", "version", "openblas configuration")
                                   if built[k].get(n)}) for k in ("blas", "lapack") if k in built)
    except Exception:
        found["numpy"]["note"] = "numpy before 1.26 does not tell its BLAS"
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
tell()
"""

R_PROBE = r"""
cat("\n")
say <- function(...) cat("@packhorse", ..., sep = "\t", fill = FALSE)
say("version", R.version.string); cat("\n")
say("platform", R.version$platform); cat("\n")
say("home", R.home()); cat("\n")
soft <- tryCatch(extSoftVersion(), error = function(e) c(BLAS = ""))
say("blas", soft[["BLAS"]]); cat("\n")
say("lapack", tryCatch(La_library(), error = function(e) ""), La_version()); cat("\n")
say("rng", paste(RNGkind(), collapse = ", ")); cat("\n")
for (path in .libPaths()) { say("library", path); cat("\n") }
rows <- installed.packages()
for (i in seq_len(nrow(rows))) { say("package", rows[i, "Package"], rows[i, "Version"]); cat("\n") }
"""


def python_packages(python: str, env: Mapping[str, str], cache: Path | None = None) -> dict[str, Any]:
    """Return version, packages and BLAS of a Python interpreter; with a `note` instead where it cannot be asked."""

    def ask() -> dict[str, Any]:
        said, trouble = ask_interpreter([python, "-c", PYTHON_PROBE], env, Path("/"))
        lines = [line for line in said.splitlines() if line.startswith("@packhorse ")]
        if not lines:
            return {"executable": python, "note": f"{python} did not tell its packages: {trouble}"}
        return dict(json.loads(lines[-1].removeprefix("@packhorse ")))

    # What is found depends on these variables besides the interpreter and its folders.
    asked = [
        python,
        *(env.get(name, "") for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "HOME")),
    ]
    return _remembered("python", asked, [python], cache, ask)


def r_packages(
    rscript: str, folder: Path, env: Mapping[str, str], cache: Path | None = None
) -> dict[str, Any]:
    """Return version, packages and BLAS of R as started in `folder`, so with its .Rprofile and renv."""

    def ask() -> dict[str, Any]:
        return parse_r_reply(rscript, *ask_interpreter([rscript, "-e", R_PROBE], env, folder))

    local = [str(folder / name) for name in (".Rprofile", "renv.lock", ".Renviron")]
    asked = [
        rscript,
        str(folder),
        *(env.get(name, "") for name in ("R_LIBS", "R_LIBS_USER", "R_HOME", "HOME")),
    ]
    return _remembered("r", asked, [rscript, *local], cache, ask)


def parse_r_reply(rscript: str, said: str, trouble: str) -> dict[str, Any]:
    """Return what R_PROBE said, or why it said nothing."""
    rows = [line.split("\t")[1:] for line in said.splitlines() if line.startswith("@packhorse\t")]
    if not rows:
        return {"executable": rscript, "note": f"{rscript} did not tell its packages: {trouble}"}
    return {"executable": rscript, **_r_session(rows)}


def _r_session(rows: list[list[str]]) -> dict[str, Any]:
    first = {row[0]: row[1] for row in rows if len(row) > 1}
    lapack = next((row for row in rows if row[0] == "lapack"), ["lapack", "", ""])
    packages = {row[1]: row[2] for row in reversed(rows) if row[0] == "package" and len(row) == 3}
    return {
        "version": first.get("version", ""),
        "platform": first.get("platform", ""),
        "home": first.get("home", ""),
        "blas": first.get("blas", ""),
        "lapack": lapack[1],
        "lapack_version": lapack[-1],
        "rng": first.get("rng", ""),
        "paths": [row[1] for row in rows if row[0] == "library" and len(row) > 1],
        "packages": [{"name": name, "version": packages[name]} for name in sorted(packages)],
    }


def lock_files(folders: list[Path]) -> dict[str, str]:
    """Return {path: sha256} of the files that say what should be installed, in these folders."""
    found = {}
    for folder in dict.fromkeys(folders):
        named = [folder / name for name in LOCKS]
        for place in [*named, *sorted(folder.glob("requirements*.txt"))]:
            try:
                found[str(place)] = hashlib.sha256(place.read_bytes()).hexdigest()
            except OSError:
                continue
    return found


def ask_interpreter(argv: list[str], env: Mapping[str, str], folder: Path) -> tuple[str, str]:
    """Return what a program printed and, where that is nothing, why."""
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
        return "", f"no answer in {SECONDS} s"
    except OSError as trouble:
        return "", trouble.strerror or "it does not start"
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return done.stdout.decode("utf-8", "replace"), said[-1] if said else f"exit status {done.returncode}"


def _remembered(
    kind: str, asked: list[str], watched: list[str], cache: Path | None, ask: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return the answer of before as long as the interpreter and its folders of packages are unchanged.

    Installing, upgrading or removing a package renames its metadata folder, which changes the parent's time.
    """
    if cache is None:
        return ask()
    # A home is shared by machines with other numbers of cores, so the host is a part of the question.
    question = hashlib.sha256(
        "\0".join([socket.gethostname(), *asked]).encode("utf-8", "replace")
    ).hexdigest()
    place = cache / f"{kind}-{question[:16]}.json"
    try:
        kept = json.loads(place.read_bytes())
        if kept["marks"] == _marks([*watched, *kept["answer"].get("paths", [])]):
            return dict(kept["answer"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = None
    answer = ask()
    if "note" not in answer:
        _keep(place, {"marks": _marks([*watched, *answer.get("paths", [])]), "answer": answer})
    return answer


def _marks(paths: list[str]) -> list[list[Any]]:
    marks: list[list[Any]] = []
    for path in paths:
        try:
            seen = Path(path).stat()
            marks.append([path, seen.st_mtime_ns, seen.st_ino])
        except OSError:
            marks.append([path, None, None])
    return marks


def _keep(place: Path, content: dict[str, Any]) -> None:
    """Write the answer down; where that is impossible the question is only asked again."""
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(6)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(place)
    except OSError:
        temporary.unlink(missing_ok=True)
