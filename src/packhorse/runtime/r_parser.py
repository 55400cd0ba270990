"""R's own parser, asked about source files. Nothing of them is evaluated."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from packhorse.model.r_syntax import RSpan, RSyntax

SECONDS = 30  # for all files


def parse_r(texts: Sequence[str]) -> list[RSyntax | None]:
    """Return the syntax of R sources; None where R is not here, does not answer in 30 s, or cannot decode the text."""
    program = shutil.which("Rscript")
    if program is None or not texts:
        return [None] * len(texts)
    with tempfile.TemporaryDirectory(prefix="packhorse-") as folder:
        paths = [Path(folder, f"{number}.R") for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text.replace("\r\n", "\n"), "utf-8", errors="surrogateescape", newline="\n")
        with resources.as_file(resources.files("packhorse") / "r" / "parse_files.R") as script:
            try:
                done = subprocess.run(
                    [program, "--vanilla", str(script)],
                    input="".join(f"{path}\n" for path in paths),
                    env={**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "en"},
                    capture_output=True,
                    encoding="utf-8",
                    errors="replace",
                    timeout=SECONDS,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired):
                return [None] * len(texts)
    return _read(done.stdout, len(texts))


def _read(output: str, number: int) -> list[RSyntax | None]:
    """Return what parse_files.R printed; nothing where its last line is missing."""
    rows = [line.rstrip("\t").split("\t") for line in output.splitlines()]
    if not rows or rows[-1][0] != "version":
        return [None] * number
    minor = re.match(r"\d+", rows[-1][2])
    version = (int(rows[-1][1]), int(minor[0]) if minor else 0)
    mine: list[list[list[str]]] = [[] for _ in range(number)]
    for row in rows[:-1]:
        if row[0].isdigit() and 0 < int(row[0]) <= number:
            mine[int(row[0]) - 1].append(row[1:])
    return [_syntax(file, version) for file in mine]


def _syntax(rows: list[list[str]], version: tuple[int, int]) -> RSyntax | None:
    """Return the syntax of one file from its rows."""
    fault = next((row for row in rows if row[0] in {"fault", "unknown"}), None)
    if fault is not None:
        place = re.match(r"(\d+):(\d+): (.*)", fault[1] if len(fault) > 1 else "")
        message = (
            place[3].replace("unexpected INCOMPLETE_STRING", "a quote that is not closed") if place else ""
        )
        return (
            RSyntax(version=version, fault=message, fault_line=int(place[1]), fault_column=int(place[2]))
            if place
            else None
        )
    quoted, loops = (
        tuple(RSpan(*map(int, row[1:5])) for row in rows if row[0] == kind) for kind in ("quoted", "loop")
    )
    return RSyntax(version=version, quoted=quoted, loops=loops)
