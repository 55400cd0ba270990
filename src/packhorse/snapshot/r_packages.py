"""Packages that a study's R files load, from their source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packhorse.model.study import Study

SUFFIXES = (".R", ".r")
# Strings and comments, whose content does not count, except for a string that is an argument of library().
STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"' + "|" + r"'(?:\\.|[^'\\])*'" + r"|#[^\n]*", re.DOTALL)
PACKAGE = r"[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]"
# A package is loaded, or one of its functions is called. A package in the condition of an `if` is optional.
LOADED = re.compile(
    r"(?<!if \()(?<!if\()(?<![\w.!])(?:library|require|loadNamespace)\s*\(\s*(?:package\s*=\s*)?"
    rf"[\"']?({PACKAGE})[\"']?\s*[,)]"
)
CALLED = re.compile(rf"(?<![\w.:])({PACKAGE}):::?[A-Za-z.`]")
SOURCED = re.compile(r"(?<![\w.])(?:source|sys\.source)\s*\(\s*(?:file\s*=\s*)?[\"']([^\"']+)[\"']")
BY_NAME = re.compile(r"character\.only\s*=\s*T")


def r_packages_of(study: Study, folder: Path) -> tuple[str, list[str]]:
    """Return a study's R script, and the packages that it and the files it sources load; ("", []) without R."""
    tokens = re.split(r"[\s;&|()'\"]+", study.shell) if study.shell else list(study.command)
    scripts = [word for word in tokens if word.endswith(SUFFIXES) and (folder / word).is_file()]
    packages: set[str] = set()
    seen: set[Path] = set()
    queue = [folder / word for word in scripts]
    while queue:
        path = queue.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        text = path.read_text("utf-8", "replace")
        packages.update(_packages(text))
        queue += [
            place / name
            for name in SOURCED.findall(_without_comments(text, strings=True))
            for place in (folder, path.parent)
        ]
    return (scripts[0] if scripts else ""), sorted(packages)


def _packages(source: str) -> Iterator[str]:
    for match in LOADED.finditer(_without_comments(source, strings=True)):
        if not BY_NAME.search(source, match.end() - 1, match.end() + 60):
            yield match[1]
    yield from CALLED.findall(_without_comments(source, strings=False))


def _without_comments(source: str, *, strings: bool) -> str:
    """Return R source without comments, and with empty strings unless `strings`."""

    def replacement(match: re.Match[str]) -> str:
        if match[0].startswith("#"):
            return ""
        return match[0] if strings else '""'

    return STRING_OR_COMMENT.sub(replacement, source)
