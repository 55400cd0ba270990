"""The oldest Python there is here, for code whose floor is Python 3.6."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path


@cache
def oldest_python() -> tuple[str, tuple[int, int]]:
    """Return an interpreter and its version; 3.6 where pyenv has one, else the oldest 3.x that is found."""
    roots = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")]
    places = [one for root in roots for one in root.glob("versions/3.*/bin/python3")]
    places += [one for folder in os.get_exec_path() for one in Path(folder).glob("python3.*")]
    found = {_version(str(one)): str(one) for one in places if re.fullmatch(r"python3(\.\d+)?", one.name)}
    found.setdefault(sys.version_info[:2], sys.executable)
    version = min(one for one in found if one >= (3, 6))
    return found[version], version


def _version(python: str) -> tuple[int, int]:
    said = subprocess.run(
        [python, "-c", "import sys; print(*sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=False,
    )
    words = said.stdout.split()
    return (int(words[0]), int(words[1])) if len(words) == 2 else (0, 0)
