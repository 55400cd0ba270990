"""The options of directives, as the scheduler's own parser reads them: abbreviations, glued values, what it refuses.

The table of options is made from the help of sbatch, srun and qsub by scripts/scheduler-options.
"""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from typing import Any, Literal

from msgspec import Struct

from packhorse.jobscript.directives import Directive, Word

Fault = Literal["unknown", "ambiguous", "no value", "has value", "stray", ""]

FLAG, VALUE, OPTIONAL = 0, 1, 2


class Option(Struct, frozen=True, kw_only=True):
    """An option of a job script: its full name, its value, and its place; columns count from 0."""

    name: str  # account; for PBS the letter: l
    written: str  # -A, --acc
    value: str | None
    line: int
    start: int
    end: int
    value_start: int  # where the value is written; equal to value_end if it has none
    value_end: int
    component: int = 0  # of a heterogeneous job
    fault: Fault = ""
    candidates: tuple[str, ...] = ()  # what an unknown or ambiguous name may mean


class Table(Struct, frozen=True):
    """The options of one program: long ones and letters, and what each takes."""

    long: dict[str, int] = {}
    short: dict[str, Any] = {}
    newer: dict[str, int] = {}  # of later versions than the one that made the table
    plugins: tuple[str, ...] = ()  # that sites add


@functools.cache
def table(program: str) -> Table:
    """Return the options of sbatch, srun, qsub-torque or qsub-openpbs; qsub-either has those of both."""
    if program == "qsub-either":
        # qsub(1B) of TORQUE: -w is a path, which its usage does not say
        both = {**table("qsub-openpbs").short, **table("qsub-torque").short, "w": VALUE}
        return Table(short=both)
    text = resources.files("packhorse.jobscript").joinpath("data/options.json").read_text(encoding="utf-8")
    whole = json.loads(text)
    one = whole[program]
    return Table(one.get("long", {}), one["short"], one.get("newer", {}), tuple(whole["plugins"]))


def slurm_options(directives: Iterable[Directive], program: str = "sbatch") -> tuple[Option, ...]:
    """Return the options of #SBATCH lines. sbatch joins the words of all lines and reads them as one command line."""
    components: list[list[Word]] = [[]]
    for directive in directives:
        tokens = [word for word in directive.words if word.value]
        if tokens and tokens[0].value in {"hetjob", "packjob"}:
            components.append([])
        else:
            components[-1] += tokens
    known = table(program)
    return tuple(
        option for number, tokens in enumerate(components) for option in _slurm(tokens, known, number)
    )


def _slurm(tokens: Sequence[Word], known: Table, component: int) -> Iterator[Option]:
    left = list(tokens)
    while left:
        word = left.pop(0)
        if word.value == "--":  # ends the options
            yield from (_option(one, "", one.value, None, component, fault="stray") for one in left)
            return
        if word.value.startswith("--"):
            yield _long(word, left, known, component)
        elif word.value.startswith("-") and len(word.value) > 1:
            yield from _short(word, left, known, component)
        else:
            yield _option(word, "", word.value, None, component, fault="stray")


def _long(word: Word, left: list[Word], known: Table, component: int) -> Option:
    written, equals, value = word.value.partition("=")
    name, fault, candidates = resolve(written[2:], known)
    kind = known.long.get(name, known.newer.get(name, OPTIONAL))
    after: Word | None = None
    if not equals and kind == VALUE and not fault:
        if not left:
            return _option(word, name, written, None, component, fault="no value")
        after = left.pop(0)
    if equals and kind == FLAG:
        fault = fault or "has value"
    return _option(
        word,
        name,
        written,
        after.value if after else value if equals else None,
        component,
        fault=fault,
        candidates=candidates,
        after=after,
    )


def _short(word: Word, left: list[Word], known: Table, component: int) -> Iterator[Option]:
    letters = word.value[1:]
    for index, letter in enumerate(letters):
        name = known.short.get(letter)
        if name is None:
            yield _option(word, letter, f"-{letter}", None, component, fault="unknown")
            return
        rest = letters[index + 1 :]
        if known.long.get(name, FLAG) != VALUE:
            yield _option(word, name, f"-{letter}", None, component)
            continue
        after = None if rest else left.pop(0) if left else None
        value = rest or (after.value if after else None)
        fault: Fault = "" if value is not None else "no value"
        yield _option(word, name, f"-{letter}", value, component, fault=fault, after=after)
        return


def resolve(written: str, known: Table) -> tuple[str, Fault, tuple[str, ...]]:
    """Return the full name of a long option; getopt_long takes any abbreviation that has one meaning."""
    if written in known.long or written in known.newer or written in known.plugins:
        return written, "", ()
    found = tuple(name for name in known.long if name.startswith(written)) if written else ()
    if len(found) == 1:
        return found[0], "", ()
    if not found:
        found = tuple(difflib.get_close_matches(written.replace("_", "-"), [*known.long, *known.newer], n=2))
        return written, "unknown", found
    # --cluster and --clusters are one option
    return (found[0], "", ()) if {"cluster", "clusters"} == set(found) else (written, "ambiguous", found)


def _option(  # noqa: PLR0913 one argument for each field that differs
    word: Word,
    name: str,
    written: str,
    value: str | None,
    component: int,
    *,
    fault: Fault = "",
    candidates: tuple[str, ...] = (),
    after: Word | None = None,
) -> Option:
    last = after or word
    # Where the value is in the same word, it is the end of that word; quotes inside it are part of what is written.
    glued = 0 if after or value is None else word.end - len(value)
    start = after.start if after else max(word.start, glued) if value is not None else last.end
    return Option(
        name=name,
        written=written,
        value=value,
        line=word.line,
        start=word.start,
        end=last.end if last.line == word.line else word.end,
        value_start=start,
        value_end=last.end,
        component=component,
        fault=fault,
        candidates=candidates,
    )


def pbs_options(directives: Iterable[Directive], flavour: str) -> tuple[Option, ...]:
    """Return the options of #PBS lines; qsub reads each line as a command line of its own."""
    known = table(f"qsub-{flavour}")
    return tuple(option for directive in directives for option in _pbs(directive.words, known))


def _pbs(tokens: Sequence[Word], known: Table) -> Iterator[Option]:
    left = list(tokens)
    while left:
        word = left.pop(0)
        if not word.value.startswith("-") or len(word.value) < 2:
            yield _option(word, "", word.value, None, 0, fault="stray")
            continue
        letters = word.value[1:]
        for index, letter in enumerate(letters):
            if letter not in known.short:
                yield _option(word, letter, f"-{letter}", None, 0, fault="unknown")
                break
            if not known.short[letter]:
                yield _option(word, letter, f"-{letter}", None, 0)
                continue
            rest = letters[index + 1 :]
            after = None if rest else left.pop(0) if left else None
            value = rest or (after.value if after else None)
            fault: Fault = "" if value is not None else "no value"
            yield _option(word, letter, f"-{letter}", value, 0, fault=fault, after=after)
            break
