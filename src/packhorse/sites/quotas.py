"""What a user may still write to a file system, parsed from quota programs; other output counts as not known.

Formats: lfs-quota(1) of Lustre, quota(1) of the Linux quota tools, and `mmlsquota -Y` of GPFS (IBM Storage Scale, "mmlsquota
command"). All count blocks of 1024 bytes where no unit is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import unquote

from msgspec import Struct

from packhorse.model.command import Command

SECONDS = 10.0  # timeout of a quota command, so that a file server that is down does not delay a run for long
GPFS = "/usr/lpp/mmfs/bin/mmlsquota"  # rarely on the PATH
PROGRAMS = ("lfs", "mmlsquota", "quota")
SIMPLE = ("nfs", "nfs4", "xfs", "ext2", "ext3", "ext4")  # file systems that quota(1) supports
UNITS = {"": 1 << 10, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60}
# lfs puts inexact numbers in brackets; lfs and quota mark an exceeded limit with an asterisk.
_NUMBER = re.compile(r"\[?(\d+(?:\.\d+)?)([kmgtpe]?)\]?(\*?)\]?", re.IGNORECASE)
_OVER = ("none", "expired")  # an expired grace period, in the grace column of an exceeded soft limit


class QuotaLeft(Struct, frozen=True, kw_only=True):
    """What a quota leaves on a file system; None: no limit."""

    name: str  # a path on the file system, or its device
    bytes: int | None = None
    files: int | None = None


class MountedPath(Struct, frozen=True, kw_only=True):
    """A path with the type, device and mount point of its file system."""

    path: str
    kind: str = ""
    device: str = ""
    mount: str = ""


def quota_command(where: MountedPath, user: str, programs: dict[str, str]) -> Command | None:
    """Return the command that prints a user's quota on the file system of a path; None: there is none."""
    if where.kind == "lustre" and programs.get("lfs"):
        return _command(programs["lfs"], "quota", "-q", "-u", user, where.mount)
    if where.kind == "gpfs":
        return _command(programs.get("mmlsquota") or GPFS, "-u", user, "-Y")
    if where.kind in SIMPLE and programs.get("quota"):
        return _command(programs["quota"], "-w", "-p", "-u", user)
    return None


def site_quota_command(line: str) -> Command:
    """Return the command for one of a site's `quota_commands`."""
    return Command(argv=("bash", "-lc", line), timeout=SECONDS)


def _command(*argv: str) -> Command:
    return Command(argv=argv, timeout=SECONDS)


def parse_quota(text: str, where: MountedPath) -> QuotaLeft | None:
    """Return what the output of a quota program leaves on the file system of a path; None: not known."""
    rows = list(_of_gpfs(text) if ":HEADER:" in text else _of_rows(text))
    mine = sorted((row for row in rows if _is_on(where, row.name)), key=lambda row: -len(row.name))
    # With several rows for one file system, such as filesets, the one that counts is not known.
    return mine[0] if mine and [row.name for row in mine].count(mine[0].name) == 1 else None


def _is_on(where: MountedPath, name: str) -> bool:
    if name in (where.device, where.mount, where.path) or name == where.device.removeprefix("/dev/"):
        return True
    return name.startswith("/") and f"{where.path}/".startswith(name.rstrip("/") + "/")


def _of_rows(text: str) -> Iterator[QuotaLeft]:
    """Parse rows of quota(1) and lfs-quota(1): a name, then use, soft limit, hard limit and grace, of blocks and of files.

    A long name has a line of its own; the grace may be missing where no soft limit is exceeded.
    """
    name = ""
    for line in text.splitlines():
        columns = line.split()
        if len(columns) == 1 and not _NUMBER.fullmatch(columns[0]):
            name = columns[0]
            continue
        if name and len(columns) in (6, 7, 8):
            columns = [name, *columns]
        name = ""
        halves = _halves(columns[1:])
        if halves:
            blocks, files = halves
            yield QuotaLeft(name=columns[0], bytes=_rest(blocks, UNITS), files=_rest(files, _FILES))


_FILES = {unit: 1000**power for power, unit in enumerate(("", "k", "m", "g", "t"))}


def _halves(columns: Sequence[str]) -> tuple[Sequence[str], Sequence[str]] | None:
    """Return use, soft limit, hard limit and perhaps grace, of blocks and of files; None for any other line."""
    if len(columns) not in (6, 7, 8):
        return None
    at = 4 if len(columns) == 8 or (len(columns) == 7 and not _NUMBER.fullmatch(columns[3])) else 3
    halves = columns[:at], columns[at:]
    return halves if all(_NUMBER.fullmatch(word) for half in halves for word in half[:3]) else None


def _rest(half: Sequence[str], units: dict[str, int]) -> int | None:
    """Return what is left up to the hard limit, or up to the soft one if there is no other; 0 after its grace period."""
    numbers = [_NUMBER.fullmatch(word) for word in half[:3]]
    used, soft, hard = (float(n[1]) * units.get(n[2].lower(), 1) for n in numbers if n)
    if soft and used > soft and half[3:] and half[3] in _OVER:
        return 0
    limit = hard or soft
    return max(0, int(limit - used)) if limit else None


def _of_gpfs(text: str) -> Iterator[QuotaLeft]:
    """Parse `mmlsquota -Y`: fields between colons, named by a header line; a colon in a field is %3A."""
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
            # Here `none` means that no grace period has started.
            sizes = [half if half[3] == "expired" else half[:3] for half in halves]
            yield QuotaLeft(
                name=row.get("filesystemName", ""),
                bytes=_rest(sizes[0], UNITS),
                files=_rest(sizes[1], _FILES),
            )
