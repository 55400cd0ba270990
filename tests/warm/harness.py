"""Running a corpus of scripts cold and warm in a process of its own."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from warm.corpus import Case

DRIVER = Path(__file__).with_name("driver.py")


def run(cases: Iterable[Case], python: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Run cases under an interpreter; return what came of each, by name."""
    prepared = [_prepared(number, case, python, folder) for number, case in enumerate(cases)]
    names = {one["name"]: one["title"] for one in prepared}
    (folder / "cases.json").write_text(json.dumps(prepared))
    results = folder / "results.ndjson"
    done = subprocess.run(
        [sys.executable, DRIVER, folder / "cases.json", folder / "scratch", results],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    found = [json.loads(row) for row in results.read_text().splitlines()]
    by_name = {names[one["name"]]: one for one in found}
    if len(found) < len(prepared):
        raise AssertionError(f"{prepared[len(found)]['title']}: {done.stderr}")
    return by_name


def _prepared(number: int, case: Case, python: str, folder: Path) -> dict[str, Any]:
    work = str(folder / "scratch" / f"c{number}.slot" / "code")
    fill = lambda text: text.replace("PYTHON", python).replace("WORK", work)  # noqa: E731 - used twice
    files = {name: fill(text) if text.startswith("#!") else text for name, text in case["files"].items()}
    argv = [fill(word) if word == "PYTHON" or word.startswith("WORK") else word for word in case["argv"]]
    return {**case, "name": f"c{number}", "title": case["name"], "argv": argv, "files": files}


def shown(result: dict[str, Any]) -> str:
    """Return what a case left, for a message."""
    rows = [result["verdict"], f"unfit: {result['unfit']}"]
    for trace in result["traces"]:
        rows.append(
            " | ".join(
                f"{k}={base64.b64decode(v).decode(errors='replace')[-300:]!r}" for k, v in trace.items()
            )
        )
    return "\n  ".join(rows)


def installed_packages() -> set[str]:
    """Return the packages of R; none where there is no R."""
    if not shutil.which("Rscript"):
        return set()
    rows = subprocess.run(
        ["Rscript", "--vanilla", "-e", "writeLines(rownames(installed.packages()))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(rows.stdout.split())


def available(case: Case, version: tuple[int, int]) -> bool:
    """Tell whether a case can run: its libraries are here, and the interpreter is new enough."""
    return version >= tuple(case["since"]) and all(importlib.util.find_spec(name) for name in case["needs"])
