"""Facts about a login node: one shell script that collects them without changing anything, and its parser."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from packhorse.model.command import Answer, Command
from packhorse.model.site import Site

FENCE = "==packhorse=="
QUESTIONS = {
    "system": '( . /etc/os-release && echo "$PRETTY_NAME" )',
    "host": "hostname",
    "python": "python3 --version",
    "rscript": "Rscript --version",
    # Lmod reads `avail -t` as a search for -t, so the option comes first; environment-modules takes either.
    # Both print the list on standard error.
    "avail": "module -t avail",
    "loaded": "module -t list",
    "lmod": 'echo "$LMOD_VERSION"',
    # Only variables that hold paths, since others may be secrets.
    "variables": "env | grep -Ei '^([a-z0-9_]*(scratch|storage|nobackup|workspace)[a-z0-9_]*|work|project|data)=/'",
    "modules": 'echo "${MODULES_CMD:-$MODULESHOME}"',
}
_PLACE = re.compile(r"(\w+)=(/[\w/.+@-]+)")


class FileSystem(Struct, frozen=True, kw_only=True):
    """The file system of a storage area: sizes in MiB, and the number of free inodes in `files`."""

    area: str
    path: str
    size: int | None = None
    free: int | None = None
    files: int | None = None


class LoginNode(Struct, frozen=True, kw_only=True):
    """The software, modules and file systems of a login node."""

    host: str = ""
    system: str = ""
    python: str = ""
    rscript: str = ""
    module_system: Literal["lmod", "environment-modules", ""] = ""
    modules: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    places: dict[str, str] = {}  # variables that hold the path of a storage area
    rooms: tuple[FileSystem, ...] = ()
    quotas: dict[str, str] = {}  # output of each quota command


def probe_command(site: Site | None) -> Command:
    """Return the command that collects the facts, including a site's storage areas and quota commands."""
    questions = dict(QUESTIONS)
    for area in site.storage if site else ():
        if area.path and "{" not in area.path:
            questions[f"room {area.name}"] = f'df -Pk -- "{area.path}" && df -Pi -- "{area.path}"'
    for command in site.quota_commands if site else ():
        questions[f"quota {command}"] = command
    return combined_command(site, questions)


def combined_command(site: Site | None, questions: dict[str, str]) -> Command:
    """Return one command that asks several questions of a shell as jobs have it; `answers` takes its answer apart."""
    setup = [*site.modules.setup, *site.setup] if site else []
    lines = [f"{line} >/dev/null 2>&1" for line in dict.fromkeys(setup)]
    for name, question in questions.items():
        lines += [f"echo; echo {shlex.quote(f'{FENCE} {name}')}", f"{{ {question}; }} 2>&1 </dev/null"]
    lines.append(f"echo; echo '{FENCE} end'")
    # A login shell, since other shells often lack `module`.
    return Command(argv=("bash", "-lc", "\n".join(lines)), timeout=60.0)


def parse_probe(answer: Answer) -> LoginNode:
    """Parse the answer to `probe_command`; facts that are missing stay empty."""
    parts = split_answers(answer)
    modules = tuple(module_names(parts.get("avail", "")))
    return LoginNode(
        host=_line(parts.get("host", ""), r"[\w.-]+"),
        system=_line(parts.get("system", ""), r"[\w(][^:]*"),
        python=_line(parts.get("python", ""), r"Python (\d[\w.+]*)"),
        rscript=_line(parts.get("rscript", ""), r".*R\w* .*version (\d[\d.]*).*"),
        module_system=_module_system(parts),
        modules=modules,
        loaded=tuple(module_names(parts.get("loaded", ""))),
        places=dict(_places(parts.get("variables", ""))),
        rooms=tuple(_room(name[5:], text) for name, text in parts.items() if name.startswith("room ")),
        quotas={name[6:]: text.strip() for name, text in parts.items() if name.startswith("quota ")},
    )


def module_names(text: str) -> Iterator[str]:
    """Yield the modules of `module -t avail` or `module -t list`, without headings and default marks."""
    for line in text.splitlines():
        word = re.sub(r"\s*(\((?:default|D|L|L,D|loaded)\)|<[\w,:]*>)", "", line.strip())
        if re.fullmatch(r"[\w][\w.+/-]*", word) and not word.endswith("/"):
            yield word


def _module_system(parts: dict[str, str]) -> Literal["lmod", "environment-modules", ""]:
    if parts.get("lmod", "").strip():
        return "lmod"
    return "environment-modules" if parts.get("modules", "").strip() else ""


def split_answers(answer: Answer) -> dict[str, str]:
    """Return the output of each command by its name, without what the login shell prints before the first."""
    parts = (part.partition("\n") for part in answer.stdout.split(f"{FENCE} ")[1:])
    return {name: output for name, _, output in parts}


def _line(text: str, pattern: str) -> str:
    """Return the first line that matches a pattern, or its last group where it has one."""
    for line in text.splitlines():
        match = re.fullmatch(pattern, line.strip())
        if match:
            return match[match.lastindex or 0]
    return ""


def _places(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        match = _PLACE.fullmatch(line)
        if match:
            yield match[1], match[2]


def _room(area: str, text: str) -> FileSystem:
    """Parse `df -Pk` and `df -Pi`: a heading and a row each, whose last column is the mount point."""
    rows = [line.split() for line in text.splitlines() if re.search(r"\d+%|\s-\s", line)]
    sizes = [row for row in rows if len(row) >= 6]
    if not sizes:
        return FileSystem(area=area, path="")
    size, free = (int(word) // 1024 if word.isdigit() else None for word in (sizes[0][1], sizes[0][3]))
    files = int(sizes[1][1]) if len(sizes) > 1 and sizes[1][1].isdigit() else None
    return FileSystem(area=area, path=sizes[0][-1], size=size, free=free, files=files or None)
