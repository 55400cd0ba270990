"""Reading a page of the documentation: its files, its console blocks, its links, its headings.

A page says with comments, which a reader does not see, what the test needs to know:

    <!-- file: sim.py -->     the next fenced block is the content of this file
    <!-- exit: 7 -->          the last command of the next console block leaves with this exit status
    <!-- cluster: why -->     the commands need a cluster: tests/cluster types them
    <!-- stand-in: torque --> they need this scheduler: tests/pbs types them, with a stand-in for its programs
    <!-- laptop: hec -->      they are typed on a laptop that is connected to this site: tests/remote types them

In a console block a line that begins with `$ ` is a command, and what follows is what it prints, standard error
included. `...` stands for anything within a line; a line that is `...` alone stands for any lines. Where nothing is
shown, nothing is compared.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
CLUSTERED = [page for page in PAGES if "<!-- cluster: " in page.read_text(encoding="utf-8")]


def _said(what: str) -> dict[Path, str]:
    """Return the pages that say something of themselves, and what."""
    found = {page: re.search(rf"<!-- {what}: (\S+) -->", page.read_text(encoding="utf-8")) for page in PAGES}
    return {page: match[1] for page, match in found.items() if match}


LAPTOP = _said("laptop")  # of a page that is typed on a laptop, the site
STANDIN = _said(
    "stand-in"
)  # of one that is typed where a scheduler is that the tests have not, the scheduler
# Where there is no terminal, a run that takes more than ten seconds says how far it is.
PROGRESS = re.compile(r"^[\d,]+ of [\d,]+ tasks, [\d.,]+/s.*\n", re.MULTILINE)

_FENCE = re.compile(r"^( *)(`{3,})([\w-]*)\n(.*?)^\1\2$", re.MULTILINE | re.DOTALL)
_BEFORE = re.compile(r"<!-- (file|exit): (.+?) -->\s*\Z")


@dataclasses.dataclass(frozen=True)
class File:
    """A file that the page gives."""

    name: str
    content: str


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of a console block, what it prints, how it ends, and the line of the page it stands on."""

    text: str
    shown: tuple[str, ...]
    status: int
    line: int


def steps(page: Path) -> Iterator[File | Command]:
    """Yield what a reader does with a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        before = _BEFORE.search(text[: match.start()])
        said = dict([before.groups()]) if before else {}
        if "file" in said:
            yield File(said["file"], match[4])
        elif match[3] == "console":
            line = text.count("\n", 0, match.start()) + 2
            yield from commands(match[4], line, int(said.get("exit", 0)))


def commands(block: str, first: int, status: int) -> Iterator[Command]:
    """Yield the commands of a console block; `status` is that of the last."""
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block.splitlines()):
        if line.startswith("$ "):
            found.append((first + number, line[2:], []))
        elif found and not found[-1][2] and found[-1][1].endswith("\\"):
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}", [])
        elif found:
            found[-1][2].append(line)
        else:
            raise ValueError(f"line {first + number}: a console block begins with '$ ', not with {line!r}")
    for at, (line_number, text, shown) in enumerate(found):
        yield Command(text, tuple(shown), status if at == len(found) - 1 else 0, line_number)


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Say whether what was printed is what the page shows."""
    pattern = ""
    for line in shown:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(map(re.escape, line.rstrip().split("..."))) + r"[ \t]*\n"
    ended = printed if not printed or printed.endswith("\n") else printed + "\n"
    return re.fullmatch(pattern, ended) is not None


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def shell_lines(page: Path) -> list[str]:
    """Return every command that a page shows, run by the test or not."""
    text = page.read_text(encoding="utf-8")
    found = [one.text for one in steps(page) if isinstance(one, Command)]
    for match in _FENCE.finditer(text):
        if match[3] == "sh":
            found += match[4].splitlines()
    return found + re.findall(r"`(packhorse [^`]+)`", prose(page))


def links(page: Path) -> list[str]:
    """Return the targets of a page's links within the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", prose(page))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make (the rule of GitHub: lower case, dashes, no punctuation)."""
    found = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
