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


def parse_r(texts: Sequence[str]) -> list[RSyntax] | None:
    """Return the syntax of R sources; None where R is not here, or does not answer in 30 s."""
    program = shutil.which("Rscript")
    if program is None or not texts:
        return None
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
                return None
    return _read(done.stdout, len(texts)) if done.returncode == 0 else None


def _read(output: str, number: int) -> list[RSyntax] | None:
    """Return what parse_files.R printed; None where its last line is missing."""
    rows = [line.rstrip("\t").split("\t") for line in output.splitlines()]
    if not rows or rows[-1][0] != "version":
        return None
    minor = re.match(r"\d+", rows[-1][2])
    version = (int(rows[-1][1]), int(minor[0]) if minor else 0)
    found = []
    for index in range(1, number + 1):
        mine = [row for row in rows if row[0] == str(index)]
        spans = {
            kind: tuple(RSpan(*map(int, row[2:6])) for row in mine if row[1] == kind)
            for kind in ("quoted", "loop")
        }
        fault = next((row[2] for row in mine if row[1] == "fault"), "")
        place = re.match(r"(\d+):(\d+): (.*)", fault)
        found.append(
            RSyntax(
                version=version,
                quoted=spans["quoted"],
                loops=spans["loop"],
                fault=place[3] if place else fault,
                fault_line=int(place[1]) if place else 1 if fault else 0,
                fault_column=int(place[2]) if place else 0,
            )
        )
    return found
