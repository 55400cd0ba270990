"""Packing the worker that travels: one zip application, standard library only."""

from __future__ import annotations

import io
import zipfile
from importlib import resources
from importlib.resources.abc import Traversable

ENTRY = "import sys\nfrom packhorse.worker.__main__ import main\nsys.exit(main(sys.argv[1:]))\n"
# The travelling package must not hide an installed one from scripts that import it. A script whose function
# runs as a task may also make the study, with `from packhorse import Study` at its top.
INIT = """\
from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)


def __getattr__(name):
    if name not in ("Run", "Study", "open"):
        raise AttributeError("module 'packhorse' has no attribute %r" % name)
    from packhorse import api

    return getattr(api, "open_run" if name == "open" else name)
"""
EPOCH = (2026, 1, 1, 0, 0, 0)


def worker_archive() -> bytes:
    """Return the bytes of worker.pyz: the same for the same worker, so that it can be compared."""
    package = resources.files("packhorse")
    files = {"__main__.py": ENTRY, "packhorse/__init__.py": INIT}
    for entry in sorted((package / "worker").iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".py"):
            files["packhorse/worker/" + entry.name] = _text(entry)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), text)
    return stream.getvalue()


def task_library() -> dict[str, str]:
    """Return the files that tasks may import or source, by relative path."""
    package = resources.files("packhorse")
    return {
        "packhorse/__init__.py": INIT,
        "packhorse/task.py": _text(package / "task.py"),
        "packhorse.R": _text(package / "r" / "packhorse.R"),
    }


def _text(entry: Traversable) -> str:
    return entry.read_text(encoding="utf-8")
