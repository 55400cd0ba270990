"""Sweeps inside one job: loops, repeated lines, GNU parallel and xargs, whose commands become tasks."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Sequence
from typing import Any

from packhorse.adopt.named import NotNamedError, Plain, TaskCommand

_NUMBERS = re.compile(r"(\d+)")
_PARALLEL_FLAGS = {
    *("--bar", "--progress", "--eta", "--will-cite", "-k", "--keep-order", "-u", "--line-buffer", "--lb"),
    *("--no-notice", "--nn"),
}
_PARALLEL_VALUES = {"-j", "--jobs", "--delay", "--joblog", "--memfree", "-P", "--max-procs"}
_XARGS_FLAGS = {"-r", "-t", "--no-run-if-empty", "--verbose"}


def expanded(commands: Sequence[Any], *, background: bool) -> tuple[list[Any], bool]:
    """Return the commands with those of parallel and xargs written out, and whether they ran side by side.

    Those that were started with & are sorted, since they have no order.
    """
    found: list[Any] = []
    parallel = background
    for command in commands:
        name = command.argv[0].rpartition("/")[2]
        if name not in {"parallel", "xargs"}:
            found.append(command)
            continue
        parallel = True
        make = _parallel if name == "parallel" else _xargs
        found += [
            Plain(argv, command.folder, command.exported)
            for argv in make(list(command.argv[1:]), command.input)
        ]
    return (sorted(found, key=lambda one: _natural(one.argv)) if background else found), parallel


def _natural(argv: Sequence[str]) -> list[Any]:
    """Return a key by which preparations stay before programs, and numbers are compared as numbers."""
    if argv[0] in {"module", "ml", "source", ".", "cd", "mkdir"}:
        return [False]
    parts = [part for word in argv for part in _NUMBERS.split(word) if part]
    return [True, *((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)]


def independent(tasks: Sequence[TaskCommand]) -> list[TaskCommand]:
    """Return the programs of a job as tasks. Raises NotNamedError where they differ, or one may read what another wrote."""
    if not tasks:
        raise NotNamedError("it starts no program")
    if len({_program(one.argv) for one in tasks}) > 1:
        raise NotNamedError("it starts several programs, of which one may read what another wrote")
    if len({one.argv for one in tasks}) < len(tasks):
        raise NotNamedError("it starts the same command several times")
    width = {len(one.argv) for one in tasks}
    if len(width) == 1:
        columns = list(zip(*(one.argv for one in tasks), strict=True))
        varying = [column for column in columns if len(set(column)) > 1]
        for a, b in itertools.permutations(varying, 2):
            files = {value for value in a if re.search(r"[/.][A-Za-z]", value)}
            if files & set(b):
                raise NotNamedError(
                    "a command names a file that another command names elsewhere, so it may need that one"
                )
    return list(tasks)


def _program(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the interpreter and the script."""
    at = next((n for n, word in enumerate(argv[1:], 1) if not word.startswith("-")), 0)
    interpreted = re.fullmatch(r"python[\d.]*|Rscript|julia|bash|sh|perl", argv[0].rpartition("/")[2])
    return tuple(argv[: at + 1]) if interpreted else (argv[0],)


def _parallel(words: list[str], text: str) -> list[tuple[str, ...]]:
    """Return the commands of GNU parallel: parallel [options] COMMAND ::: values, or with a line of input each."""
    words, separator = _without_options(words, _PARALLEL_FLAGS, _PARALLEL_VALUES, "parallel")
    at = next((n for n, word in enumerate(words) if word.startswith(":::")), len(words))
    command, sources = words[:at], words[at:]
    lists: list[list[str]] = []
    for word in sources:
        if word == ":::":
            lists.append([])
        elif word.startswith("::"):
            raise NotNamedError(f"parallel with {word} is not taken over")
        else:
            lists[-1].append(word)
    rows = (
        [list(row) for row in itertools.product(*lists)]
        if lists
        else [line.split(separator) if separator else [line] for line in text.splitlines() if line.strip()]
    )
    if not command:
        return [_split(line) for row in rows for line in row]
    return [_with_values(command, row) for row in rows]


def _without_options(words: list[str], flags: set[str], valued: set[str], name: str) -> tuple[list[str], str]:
    separator = ""
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in {"--colsep", "-C"} and words:
            separator = words.pop(0)
            if separator not in {" ", ",", "\t", ";", "\\t"}:
                raise NotNamedError(f"{name} {word} {separator} is not taken over")
            separator = separator.replace("\\t", "\t")
        elif word in valued and words:
            words.pop(0)
        elif word not in flags and not re.fullmatch(r"-[jP]\d+|--(?:jobs|delay|joblog|max-procs)=\S+", word):
            raise NotNamedError(f"{name} {word} is not taken over")
    return words, separator


def _with_values(command: Sequence[str], row: Sequence[str]) -> tuple[str, ...]:
    def value(match: re.Match[str]) -> str:
        number = int(match[1] or 0)
        return " ".join(row) if not number else row[number - 1] if number <= len(row) else ""

    shown = [re.sub(r"\{(\d*)\}", value, word) for word in command]
    if any(re.search(r"\{[#%./]|\{\d+[./]", word) for word in command):
        raise NotNamedError("a replacement of parallel other than {} and {1} is not taken over")
    if not any(re.search(r"\{\d*\}", word) for word in command):
        shown += row
    # parallel gives its words to a shell, which splits a command that is one word.
    return _split(" ".join(shown)) if len(command) == 1 and " " in command[0] else tuple(shown)


def _split(line: str) -> tuple[str, ...]:
    if re.search(r"[|&;<>$`*?~]", line):
        raise NotNamedError("a command of parallel needs a shell")
    try:
        return tuple(shlex.split(line))
    except ValueError:
        raise NotNamedError("a command of parallel has an open quote") from None


def _xargs(words: list[str], text: str) -> list[tuple[str, ...]]:
    """Return the commands of xargs with -n NUMBER, -L 1 or -I NAME."""
    given: dict[str, str] = {}
    while words and words[0].startswith("-"):
        word = words.pop(0)
        match = re.fullmatch(r"-([nLIP])(.*)|--(max-args|max-lines|replace|max-procs)=(.*)", word)
        if not match and word not in _XARGS_FLAGS:
            raise NotNamedError(f"xargs {word} is not taken over")
        if match:
            letter = (
                match[1] or {"max-args": "n", "max-lines": "L", "replace": "I", "max-procs": "P"}[match[3]]
            )
            given[letter] = match[2] or match[4] or (words.pop(0) if words else "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if "I" in given:
        return [tuple(word.replace(given["I"], line) for word in words) for line in lines]
    if given.get("L") == "1":
        return [(*words, *shlex.split(line)) for line in lines]
    each = int(given["n"]) if given.get("n", "").isdigit() else 0
    if each < 1:
        raise NotNamedError("xargs without -n gives many values to one command")
    values = shlex.split(text)
    return [(*words, *values[at : at + each]) for at in range(0, len(values), each)]
