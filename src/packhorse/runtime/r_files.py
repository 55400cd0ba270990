"""R's own files, read and written by R: many files in one process."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from msgspec import Struct


class RArray(Struct, frozen=True):
    """An array for R: little-endian doubles, first index fastest, and (name, size, labels) of each dimension."""

    data: bytes
    dims: list[tuple[str, int, list[str]]]


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


def write_r_arrays(arrays: Mapping[str, RArray], path: Path) -> str:
    """Write arrays as a named list to an .rds file, atomically; return why it could not be written, or an empty text."""
    program = shutil.which("Rscript")
    if program is None:
        return "Rscript is not on the PATH"
    package = resources.files("packhorse") / "r"
    partial = path.with_name(f".{path.name}.partial")
    with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
        described = {}
        for number, (name, array) in enumerate(arrays.items()):
            data = Path(folder, str(number))
            data.write_bytes(array.data)
            dims = [{"name": dim, "size": size, "labels": labels} for dim, size, labels in array.dims]
            described[name] = {"file": str(data), "dims": dims}
        description = Path(folder, "described.json")
        description.write_text(json.dumps(described), encoding="utf-8")
        with (
            resources.as_file(package / "write_stack.R") as script,
            resources.as_file(package / "packhorse.R") as library,
        ):
            argv = [program, "--vanilla", str(script), str(library), str(description), str(partial)]
            try:
                done = subprocess.run(argv, capture_output=True, timeout=SECONDS, check=False)
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"Rscript failed: {error}"
    if done.returncode:
        partial.unlink(missing_ok=True)
        return (
            "Rscript failed: "
            + (done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
        )
    partial.replace(path)
    return ""


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
