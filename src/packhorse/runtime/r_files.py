"""R's own files, .rds and .RData, read by R: many files in one process."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

AT_ONCE = 1000  # files for one process
SECONDS = 600  # for all of them


def read_r_files(files: Sequence[tuple[bytes, str]]) -> list[bytes | str]:
    """Return the value of each file (content, and format: rds or rdata) as JSON, or the reason why it cannot be read.

    R runs code of the packages whose objects a file holds, so these must be files of the user's own tasks.
    """
    program = shutil.which("Rscript")
    if program is None:
        return ["Rscript is not on the PATH here; write CSV, or use result() of packhorse.R"] * len(files)
    found: list[bytes | str] = []
    for start in range(0, len(files), AT_ONCE):
        found += _read(program, files[start : start + AT_ONCE])
    return found


def _read(program: str, files: Sequence[tuple[bytes, str]]) -> list[bytes | str]:
    with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
        names = []
        for number, (data, form) in enumerate(files):
            path = Path(folder, f"{number}.{form}")
            path.write_bytes(data)
            names.append(f"{form}\t{path}\n")
        package = resources.files("packhorse") / "r"
        argv = [program, "--vanilla"]
        with (
            resources.as_file(package / "read_files.R") as script,
            resources.as_file(package / "packhorse.R") as library,
        ):
            try:
                done = subprocess.run(
                    [*argv, str(script), str(library)],
                    input="".join(names).encode(),
                    capture_output=True,
                    timeout=SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return [f"Rscript failed: {error}"] * len(files)
    lines = done.stdout.splitlines()
    if len(lines) != len(files):
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        return [f"Rscript failed: {last}"] * len(files)
    return [_value(line) for line in lines]


def _value(line: bytes) -> bytes | str:
    """Return the JSON, or the reason, in one line of read_files.R."""
    if line.startswith(b'{"error":'):
        return str(json.loads(line)["error"])
    return line.removeprefix(b'{"json":').removesuffix(b"}")
