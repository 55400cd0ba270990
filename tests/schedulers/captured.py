"""Reading what real schedulers said: captures/SCHEDULER/VERSION.tar.xz."""

from __future__ import annotations

import re
import tarfile
from functools import cache
from pathlib import Path
from typing import NamedTuple

from packhorse.model.command import Answer

FOLDER = Path(__file__).parent / "captures"
VERSIONS = ("22.05.8", "23.11.11", "25.11.7")  # the same cases in each
OTHERS = {"6.1.3": "torque", "23.06.06": "openpbs"}  # of other schedulers than Slurm
TESTBED = "22.05.8-testbed"

_CASE = re.compile(rb"(# .*?)--- stdout ---\n(.*?)--- stderr ---\n(.*)", re.DOTALL)


class Case(NamedTuple):
    """One command of one version, and its answer."""

    version: str
    name: str
    command: str
    answer: Answer


@cache
def cases(version: str) -> dict[str, Case]:
    """Return all cases of a version by their names."""
    found = {}
    with tarfile.open(FOLDER / OTHERS.get(version, "slurm") / f"{version}.tar.xz") as archive:
        for member in archive:
            if member.isfile():
                read = archive.extractfile(member)
                assert read is not None
                case = _case(version, Path(member.name).stem, read.read())
                found[case.name] = case
    return found


def _case(version: str, name: str, data: bytes) -> Case:
    match = _CASE.fullmatch(data)
    assert match, f"{version}/{name} is no case"
    head, out, err = (part.decode(errors="replace") for part in match.groups())
    told = dict(line[2:].partition(": ")[::2] for line in head.splitlines())
    return Case(version, name, told["command"], Answer(status=int(told["exit code"]), stdout=out, stderr=err))


def named(pattern: str, *, versions: tuple[str, ...] = VERSIONS) -> list[Case]:
    """Return the cases of all versions whose name has a pattern in it, in order."""
    return [
        case
        for version in versions
        for name, case in sorted(cases(version).items())
        if re.search(pattern, name)
    ]


def told(case: Case) -> str:
    """Return what a test is called that looks at a case."""
    return f"{case.version}-{case.name}"
