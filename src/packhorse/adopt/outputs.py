"""The result and the artifacts of a study, proposed from the files that its first and its last task wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from msgspec import Struct

from packhorse.adopt.named import composed
from packhorse.study.template import literal
from packhorse.worker.results.suffixes import suffix_format

_BYPRODUCT = re.compile(r"(^|/)(__pycache__|\.[^/]+)(/|$)|\.pyc$|(^|/)Rplots\.pdf$|(^|/)core\.\d+$")
_LOG = re.compile(r"\.(log|out|err|o\d+|e\d+)$|(^|/)(slurm|log|logs)[-/]")
MOST_FILES = 2000


class Output(Struct, frozen=True, kw_only=True):
    """A file that every tried task wrote: its name with placeholders, and its path in each task."""

    template: str
    paths: tuple[str, ...]

    @property
    def pattern(self) -> str:
        """Its name as a glob pattern."""
        return re.sub(r"\{[^{}]*\}", "*", self.template.replace("{{", "[{]").replace("}}", "[}]"))

    @property
    def may_be_result(self) -> bool:
        """Whether its suffix tells a format of results."""
        return bool(suffix_format(self.paths[0])) and not _LOG.search(self.paths[0])


def outputs(written: Sequence[Sequence[str]], columns: Mapping[str, Sequence[str]]) -> list[Output]:
    """Return the files that all tried tasks wrote; `columns` has the values of the parameters for these tasks."""
    lists = [[name for name in names if not _BYPRODUCT.search(name)][:MOST_FILES] for names in written]
    if len(lists) == 1:
        return [Output(template=_single(name, columns), paths=(name,)) for name in lists[0]]
    found = []
    for name in lists[0]:
        match = _partner(name, lists[1], columns)
        if match is not None:
            found.append(match)
    return found


def _single(name: str, columns: Mapping[str, Sequence[str]]) -> str:
    return composed((name,), {key: tuple(values) for key, values in columns.items()}) or literal(name)


def _partner(name: str, others: Sequence[str], columns: Mapping[str, Sequence[str]]) -> Output | None:
    """Return a file of the first task with that of the last task that has the same role."""
    if name in others:
        return Output(template=literal(name), paths=(name, name))
    place = PurePosixPath(name)
    near = [one for one in others if one.endswith(place.suffix) and one.count("/") == name.count("/")]
    for other in near:
        known = {key: tuple(values) for key, values in columns.items()}
        if template := composed((name, other), known):
            return Output(template=template, paths=(name, other))
    # A number of a job, a date: the same but for digits.
    shape = re.sub(r"\d+", "*", name)
    same = [one for one in near if re.sub(r"\d+", "*", one) == shape]
    return Output(template=literal(shape), paths=(name, same[0])) if len(same) == 1 else None


def patterns(found: Sequence[Output]) -> tuple[str, ...]:
    """Return glob patterns for files; many in one folder are one pattern."""
    names = list(dict.fromkeys(one.pattern for one in found))
    if len(names) <= 3:
        return tuple(names)
    shorter = {str(PurePosixPath(name).with_name("*" + PurePosixPath(name).suffix)) for name in names}
    if len(shorter) <= 3:
        return tuple(sorted(shorter))
    return tuple(
        sorted(
            {f"{folder}/**" if (folder := str(PurePosixPath(name).parent)) != "." else name for name in names}
        )
    )
