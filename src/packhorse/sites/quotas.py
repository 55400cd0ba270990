"""What a user may still write in an area, by what the programs for quotas say; what they say otherwise is not known.

Forms: lfs-quota(1) of Lustre, quota(1) of the Linux quota tools, and `mmlsquota -Y` of GPFS (IBM Storage Scale, "mmlsquota
command"). All count blocks of 1024 bytes where no unit is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from msgspec import Struct

from packhorse.model.command import Command

SECONDS = 10.0  # for a quota to be told; a file server that is away must not hold up a run
GPFS = "/usr/lpp/mmfs/bin/mmlsquota"  # seldom on the PATH
PROGRAMS = ("lfs", "mmlsquota", "quota")
SIMPLE = ("nfs", "nfs4", "xfs", "ext2", "ext3", "ext4")  # file systems that quota(1) knows
UNITS = {"": 1 << 10, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60}
# lfs puts what may be inexact into brackets, and both mark what is too much with an asterisk.
_NUMBER = re.compile(r"\[?(\d+(?:\.\d+)?)([kmgtpe]?)\]?(\*?)\]?", re.IGNORECASE)
_OVER = ("none", "expired")  # what stands for the grace that is over, where more is used than the soft limit


class Left(Struct, frozen=True, kw_only=True):
    """What a quota leaves on a file system; None: as much as one likes."""

    name: str  # a path on it, or its device
    bytes: int | None = None
    files: int | None = None


class Mounted(Struct, frozen=True, kw_only=True):
    """Where a path is: its file system's kind, and what was mounted where."""

    path: str
    kind: str = ""
    device: str = ""
    mount: str = ""


def asking(where: Mounted, user: str, programs: dict[str, str]) -> Command | None:
    """Return the command that tells a user's quota where a path is, None where there is none."""
    if where.kind == "lustre" and programs.get("lfs"):
        return _said(programs["lfs"], "quota", "-q", "-u", user, where.mount)
    if where.kind == "gpfs":
        return _said(programs.get("mmlsquota") or GPFS, "-u", user, "-Y")
    if where.kind in SIMPLE and programs.get("quota"):
        return _said(programs["quota"], "-w", "-p", "-u", user)
    return None


def own(line: str) -> Command:
    """Return the command for a line that a site gives to ask for quotas."""
    return Command(argv=("bash", "-lc", line), timeout=SECONDS)


def _said(*argv: str) -> Command:
    return Command(argv=argv, timeout=SECONDS)


def left(text: str, where: Mounted) -> Left | None:
    """Return what is left where a path is, by what a program printed; None where it does not say."""
    rows = list(_of_gpfs(text) if ":HEADER:" in text else _of_rows(text))
    mine = sorted((row for row in rows if _is_on(where, row.name)), key=lambda row: -len(row.name))
    # Of several for the same file system, such as filesets, nobody knows which counts.
    return mine[0] if mine and [row.name for row in mine].count(mine[0].name) == 1 else None


def _is_on(where: Mounted, name: str) -> bool:
    if name in (where.device, where.mount, where.path) or name == where.device.removeprefix("/dev/"):
        return True
    return name.startswith("/") and f"{where.path}/".startswith(name.rstrip("/") + "/")


def _of_rows(text: str) -> Iterator[Left]:
    """Read rows of quota(1) and lfs-quota(1): a name, then used, soft limit, hard limit and grace, of blocks and of files.

    A long name has a line of its own; a grace that is not under way may be missing.
    """
    name = ""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 1 and not _NUMBER.fullmatch(words[0]):
            name = words[0]
            continue
        if name and len(words) in (6, 7, 8):
            words = [name, *words]
        name = ""
        halves = _halves(words[1:])
        if halves:
            blocks, files = halves
            yield Left(name=words[0], bytes=_rest(blocks, UNITS), files=_rest(files, _FILES))


_FILES = {unit: 1000**power for power, unit in enumerate(("", "k", "m", "g", "t"))}


def _halves(words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]] | None:
    """Return used, soft limit, hard limit and perhaps grace of blocks and of files; None for another kind of line."""
    if len(words) not in (6, 7, 8):
        return None
    at = 4 if len(words) == 8 or (len(words) == 7 and not _NUMBER.fullmatch(words[3])) else 3
    halves = words[:at], words[at:]
    return halves if all(_NUMBER.fullmatch(word) for half in halves for word in half[:3]) else None


def _rest(half: Sequence[str], units: dict[str, int]) -> int | None:
    """Return how much is left of a limit: the hard one, and the soft one where that is all there is or its grace is over."""
    found = [_NUMBER.fullmatch(word) for word in half[:3]]
    used, soft, hard = (float(one[1]) * units.get(one[2].lower(), 1) for one in found if one)
    if soft and used > soft and half[3:] and half[3] in _OVER:
        return 0
    limit = hard or soft
    return max(0, int(limit - used)) if limit else None


def _of_gpfs(text: str) -> Iterator[Left]:
    """Read lines of fields between colons, which the first names; a colon in a field is %3A."""
    names: list[str] = []
    for line in text.splitlines():
        fields = line.split(":")
        if "HEADER" in fields[:3]:
            names = fields
            continue
        row = dict(zip(names, map(unquote, fields), strict=False))
        if row.get("quotaType") != "USR":
            continue
        halves = [
            [row.get(f"{kind}{what}", "") for what in ("Usage", "Quota", "Limit", "Grace")]
            for kind in ("block", "files")
        ]
        if all(word.isdigit() for half in halves for word in half[:3]):
            # Here `none` is a grace that is not under way.
            sizes = [half if half[3] == "expired" else half[:3] for half in halves]
            yield Left(
                name=row.get("filesystemName", ""),
                bytes=_rest(sizes[0], UNITS),
                files=_rest(sizes[1], _FILES),
            )
