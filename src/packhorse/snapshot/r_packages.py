"""What a study's R files need, by reading them: the packages that they load."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packhorse.model.study import Study

SUFFIXES = (".R", ".r")
# Texts and comments, so that nothing inside of them counts; a text that is an argument of library() does.
PIECE = re.compile(r'"(?:\\.|[^"\\])*"' + "|" + r"'(?:\\.|[^'\\])*'" + r"|#[^\n]*", re.DOTALL)
PACKAGE = r"[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9]"
# A package is loaded, or one of its functions is called. What an `if` asks for may be absent.
LOADED = re.compile(
    r"(?<!if \()(?<!if\()(?<![\w.!])(?:library|require|loadNamespace)\s*\(\s*(?:package\s*=\s*)?"
    rf"[\"']?({PACKAGE})[\"']?\s*[,)]"
)
CALLED = re.compile(rf"(?<![\w.:])({PACKAGE}):::?[A-Za-z.`]")
SOURCED = re.compile(r"(?<![\w.])(?:source|sys\.source)\s*\(\s*(?:file\s*=\s*)?[\"']([^\"']+)[\"']")
BY_NAME = re.compile(r"character\.only\s*=\s*T")


def r_packages_of(study: Study, folder: Path) -> tuple[str, list[str]]:
    """Return the script of a study and the packages that it and the files that it sources load; ("", []) without R."""
    words = re.split(r"[\s;&|()'\"]+", study.shell) if study.shell else list(study.command)
    scripts = [word for word in words if word.endswith(SUFFIXES) and (folder / word).is_file()]
    found: dict[str, None] = {}
    seen: set[Path] = set()
    left = [folder / word for word in scripts]
    while left:
        path = left.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        text = path.read_text("utf-8", "replace")
        found.update(dict.fromkeys(_packages(text)))
        left += [
            place / name
            for name in SOURCED.findall(_plain(text, texts=True))
            for place in (folder, path.parent)
        ]
    return (scripts[0] if scripts else ""), sorted(found)


def _packages(source: str) -> Iterator[str]:
    for match in LOADED.finditer(_plain(source, texts=True)):
        if not BY_NAME.search(source, match.end() - 1, match.end() + 60):
            yield match[1]
    yield from CALLED.findall(_plain(source, texts=False))


def _plain(source: str, *, texts: bool) -> str:
    """Return R without comments, and without the content of texts unless it is wanted."""

    def kept(match: re.Match[str]) -> str:
        if match[0].startswith("#"):
            return ""
        return match[0] if texts else '""'

    return PIECE.sub(kept, source)
