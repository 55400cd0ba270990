"""The worker and the task library as archives that run on any machine: standard library only."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import marshal
import zipfile
from importlib import resources
from importlib.abc import InspectLoader
from importlib.resources.abc import Traversable
from pathlib import Path
from types import CodeType

from packhorse.rundir.files import write_file

ENTRY = "import sys\nfrom packhorse.worker.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
# The archived package must not hide an installed one from scripts that import it. A script whose function
# runs as a task may also define the study, with `from packhorse import Study` at its top.
INIT = """\
from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)


def __getattr__(name):
    places = {"Run": ("run", "Run"), "Study": ("study", "Study"), "open": ("run", "open_run")}
    if name not in places:
        raise AttributeError("module 'packhorse' has no attribute %r" % name)
    from importlib import import_module

    module, member = places[name]
    return getattr(import_module("packhorse.api." + module), member)
"""
DIGEST = "digest"  # the entry that identifies an archive; Python 3.6 cannot read a zip with a comment
EPOCH = (2026, 1, 1, 0, 0, 0)


def keep_archive(path: Path) -> None:
    """Write worker.pyz unless it already holds this worker, since running slots read from that file."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.read(DIGEST) == _digest(_files()):
                return
    except (OSError, KeyError, zipfile.BadZipFile):
        pass
    write_file(path, worker_archive())


def worker_archive() -> bytes:
    """Return the bytes of worker.pyz: every file as source, and modules also compiled for the running Python version.

    An interpreter of another version ignores the compiled modules (zipimport compares the magic number); the same
    version saves half of the time that a slot needs to start.
    """
    files = _files()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(DIGEST, EPOCH), _digest(files))
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text)
            if name.endswith(".py") and name != "__main__.py":
                archive.writestr(zipfile.ZipInfo(name + "c", EPOCH), _compiled(name, text))
    return stream.getvalue()


def _compiled(name: str, text: str) -> bytes:
    """Return a pyc that is not checked against its source (PEP 552: flags 1, hash unchecked)."""
    code = marshal.dumps(_code(name, text))
    source = importlib.util.source_hash(text.encode("utf-8"))
    return importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little") + source + code


def _code(name: str, text: str) -> CodeType:
    """Return the code of a module; from Python's own cache, since compiling all of them takes 40 ms."""
    if name == "packhorse/__init__.py":  # the archive has another one
        return compile(text, name, "exec", dont_inherit=True)
    module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    if not isinstance(
        spec.loader, InspectLoader
    ):  # pytest's, which rewrites the assertions of packages with a plugin
        return compile(text, name, "exec", dont_inherit=True)
    code = spec.loader.get_code(module)
    assert code is not None
    return _renamed(code, name)


def _renamed(code: CodeType, name: str) -> CodeType:
    """Return code whose tracebacks show the path in the archive, not the one where Packhorse is installed."""
    constants = (_renamed(one, name) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=name, co_consts=tuple(constants))


def _digest(files: dict[str, str]) -> bytes:
    return hashlib.sha256(repr((importlib.util.MAGIC_NUMBER, files)).encode()).hexdigest().encode()


def _files() -> dict[str, str]:
    package = resources.files("packhorse")
    files = {"__main__.py": ENTRY, "packhorse/__init__.py": INIT}
    for name in ("task_inputs.py", "task_values.py"):
        files["packhorse/" + name] = _text(package / name)
    files.update(_modules(package / "worker", "packhorse/worker/"))
    return files


def _modules(folder: Traversable, prefix: str) -> dict[str, str]:
    """Return the text of all modules and R scripts below a folder, by path in the archive."""
    files = {}
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            files.update(_modules(entry, prefix + entry.name + "/"))
        elif entry.name.endswith((".py", ".R")):
            files[prefix + entry.name] = _text(entry)
    return files


def task_library(*, pickles: bool = False) -> dict[str, str]:
    """Return the files that tasks may import (Python) or source (R), by relative path.

    With `pickles` also the cloudpickle that pickles functions here, since another version may not read them.
    """
    package = resources.files("packhorse")
    library = _modules(resources.files("cloudpickle"), "cloudpickle/") if pickles else {}
    return library | {
        "packhorse/__init__.py": INIT,
        "packhorse/task.py": _text(package / "task.py"),
        "packhorse/task_inputs.py": _text(package / "task_inputs.py"),
        "packhorse/task_values.py": _text(package / "task_values.py"),
        "packhorse.R": _text(package / "r" / "packhorse.R"),
    }


def _text(entry: Traversable) -> str:
    return entry.read_text(encoding="utf-8")
