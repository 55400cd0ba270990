"""What the files of the project may hold, and how they may be called."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = sorted(
    path for folder in ("src", "tests", "bench", "docs") for path in (ROOT / folder).rglob("*.py")
)
REQUIREMENTS = sorted((ROOT / "requirements").glob("*.txt"))

# Written with brackets, so that this file does not hold what it forbids.
HOSTS = (
    r"(?i)(p[y]pi\.org|p[y]thonhosted|d[e]bian\.org|n[p]mjs|c[r]an\.r-project|c[o]nda\.anaconda|p[o]sit\.co)"
)
PLACES = r"(?<![\w./}*$-])/(w[o]rk|r[o]ot|tmp/[v]|opt/[w]heels|opt/p[y]pi)(?![\w-])"
MAKING = r"(?i)(s[u]bagent|c[l]aude|c[h]atgpt|l[a]nguage model)"
ATTICS = {"utils", "util", "common", "helpers", "helper", "misc", "core", "manager", "managers", "base"}


def tracked() -> list[Path]:
    """Return every file that is in the repository or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def found(pattern: str) -> list[str]:
    """Return file:line: text of every line that matches."""
    expression = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(path.read_bytes().decode(errors="replace").splitlines(), 1)
        if expression.search(line)
    ]


@pytest.mark.parametrize("pattern", [HOSTS, PLACES, MAKING], ids=["registries", "places", "making"])
def test_no_file_names_what_belongs_to_one_machine(pattern: str) -> None:
    assert found(pattern) == []


def test_a_todo_has_an_issue_number() -> None:
    assert found(r"\b(T[O]DO|F[I]XME|X[X]X)\b(?!\(#\d+\))") == []


def test_no_file_or_folder_is_an_attic() -> None:
    names = [path.relative_to(ROOT) for path in tracked()]
    assert [str(name) for name in names if ATTICS & {Path(part).stem for part in name.parts}] == []


def test_every_module_says_what_it_is_for() -> None:
    said = {path.relative_to(ROOT): ast.get_docstring(ast.parse(path.read_text())) or "" for path in PYTHON}
    assert [path for path, text in said.items() if not text] == [], "they need a docstring of one line"
    wrong = {path: text for path, text in said.items() if not text.splitlines()[0].endswith((".", "?", ":"))}
    assert wrong == {}, "a docstring's first line is not a sentence"


@pytest.mark.parametrize("path", REQUIREMENTS, ids=lambda path: path.name)
def test_every_requirement_is_fixed_and_hashed(path: Path) -> None:
    text = path.read_text()
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    entries = re.sub(r"\\\n\s*", " ", text).splitlines()
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), entry


def wanted(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


def pinned(path: Path) -> set[str]:
    return {normal(line) for line in path.read_text().splitlines() if "==" in line}


def normal(requirement: str) -> str:
    """Return the project's name alone, as PEP 503 writes it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~;\[ ]", requirement)[0]).lower()


def test_every_wanted_package_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = pinned(ROOT / "requirements" / "run.txt")
    assert {normal(name) for name in project["dependencies"]} <= runtime, "run: make lock"
    for path in (ROOT / "requirements").glob("*.in"):
        assert {normal(name) for name in wanted(path)} <= pinned(path.with_suffix(".txt")), "run: make lock"


# Modules that read better whole: a table of keys, two loops with their state, and one that an interpreter runs as a file.
LONG = {"study/keys.py", "worker/main_loop.py", "worker/slots/launcher.py", "worker/warm/python_server.py"}


def test_a_module_fits_on_a_few_screens() -> None:
    source = ROOT / "src" / "packhorse"
    long = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if len(path.read_text(encoding="utf-8").splitlines()) > 400
    }
    assert long == LONG
