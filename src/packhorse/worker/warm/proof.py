"""Whether a script may start warm: one task runs cold twice and warm twice, and what it leaves is compared.

Where the cold starts agree, the warm ones must agree with them. Where the cold starts differ (random numbers that were
not seeded, process ids), the warm ones must differ, too: a state that all of them inherit would make them agree.
"""

import hashlib
import os
import re
import stat
import time

from packhorse.worker.tasks.changes import REPLACED
from packhorse.worker.tasks.slot_folders import OWN, SCRATCH
from packhorse.worker.warm.reasons import CHANGED, STUCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Union

    from packhorse.worker.tasks.changes import Changes
    from packhorse.worker.tasks.slot_folders import SlotFolders

    Trace = dict[str, bytes]  # what one start left: "exit status", "result", "output", "file a.csv"
    Piece = Union[bytes, None]

# Numbers, words, or single characters. A number is compared whole: 0.41 and 0.42 have nothing in common.
PIECES = re.compile(rb"[\w.+-]+|[^\w]")
# Times change with the second in which a task begins: two starts may begin in the same one, and the others not.
# Times of day, compact times such as 20261129_080001, and Unix seconds.
CLOCK = re.compile(rb"(?<!\d)\d{1,2}:\d\d(:\d\d([.,]\d+)?)?(?!\d)|(?<!\d)20\d{6}[-_T]?\d{6}(?!\d)")
UNIX = re.compile(rb"(?<![\w.])\d{10}(\.\d+)?(?![\w.])")
RECENT = 600.0  # seconds
ADDRESS = re.compile(
    rb"\b(at|bytecode:|environment:|pointer:) 0x[0-9a-f]+"
)  # of an object, in its repr: forks have one layout of memory
LONG = 6  # bytes of a piece that two starts hardly have in common by chance
MOST_SHOWN = 40  # bytes of a difference that a message shows
TEXT = 1 << 20  # longer texts are compared whole
FILE = "file "
BYTE_CODE = "__pycache__"


def verdict(cold: "list[Trace]", warm: "list[Trace]") -> str:
    """Return why warm starts must not be used, as a clause, or "" where they may.

    `cold` and `warm` are lists of traces, one for each start.
    """
    cold, warm = _named_alike(
        [_timeless_names(trace) for trace in cold], [_timeless_names(trace) for trace in warm]
    )
    for name in _names(cold + warm):
        why = _difference([trace.get(name) for trace in cold], [trace.get(name) for trace in warm])
        if why:
            return "the script's %s %s" % (name, why)
    return ""


def _timeless(data: bytes) -> bytes:
    """Replace what only tells when a start began."""

    def unix(match: "re.Match[bytes]") -> bytes:
        return b"0" if abs(float(match.group()) - time.time()) < RECENT else match.group()

    return UNIX.sub(unix, CLOCK.sub(b"00:00:00", data))


def _timeless_names(trace: "Trace") -> "Trace":
    return {os.fsdecode(_timeless(os.fsencode(name))): data for name, data in trace.items()}


def _named_alike(cold: "list[Trace]", warm: "list[Trace]") -> "tuple[list[Trace], list[Trace]]":
    """Take together the files whose names differ between cold starts: their names hold a time or a random number."""
    common = set(cold[0])
    for trace in cold:
        common &= set(trace)
    if all(set(trace) == common for trace in cold):
        return cold, warm
    renamed = []
    for trace in cold + warm:
        others = sorted(name for name in trace if name not in common)
        found = {name: data for name, data in trace.items() if name in common}
        found["set of files"] = "\n".join(others).encode("utf-8", "surrogateescape")
        renamed.append(found)
    return renamed[: len(cold)], renamed[len(cold) :]


def _names(traces: "list[Trace]") -> "list[str]":
    found: "list[str]" = []
    for trace in traces:
        found += [name for name in trace if name not in found]
    return found


def _difference(cold: "list[Piece]", warm: "list[Piece]") -> str:
    if all(data == cold[0] for data in cold):
        return next((CHANGED + _example(cold[0], data) for data in warm if not _same(data, cold[0])), "")
    pieces = [_pieces(data) for data in cold + warm]
    if any(one is None or len(one) != len(pieces[0] or ()) for one in pieces):
        pieces = [[data] for data in cold + warm]
    varying = []
    for values in zip(*(one or () for one in pieces)):
        before, after = values[: len(cold)], values[len(cold) :]
        if len(set(before)) > 1:
            varying.append(after)
        # A short piece may be the same in two random texts by chance, but then it is another in each of the others.
        elif set(after) != set(before) and (len(before[0] or b"") >= LONG or len(set(after)) == 1):
            return CHANGED + _shown(before[0], after[0])
    if varying and len(set(zip(*varying))) < len(warm):
        return STUCK
    return ""


def _same(one: "Piece", other: "Piece") -> bool:
    return one == other or (_pieces(one) is not None and _pieces(one) == _pieces(other))


def _pieces(data: "Piece") -> "list[Piece] | None":
    if data is None or len(data) > TEXT:
        return None
    found: "list[Piece]" = list(PIECES.findall(ADDRESS.sub(rb"\1 0x", _timeless(data))))
    return found


def _example(cold: "Piece", warm: "Piece") -> str:
    """Return the first piece in which two texts differ, for a message, if it tells something."""
    one, other = _pieces(cold), _pieces(warm)
    if one is None or other is None or len(one) != len(other):
        return ""
    return next((_shown(*pair) for pair in zip(one, other) if pair[0] != pair[1]), "")


def _shown(cold: "Piece", warm: "Piece") -> str:
    if cold is None or warm is None or max(len(cold), len(warm)) > MOST_SHOWN:
        return ""
    return " (%s and %s)" % (cold.decode("utf-8", "replace"), warm.decode("utf-8", "replace"))


def written_files(folders: "SlotFolders", changes: "Changes") -> "Trace":
    """Return {"file PATH": content} of what a task changed in its working copy, seen from the study's folder.

    Byte code and the scratch folder are left out, and files that the task made and removed again.
    """
    found = {}
    for path in sorted(_all_below(folders.root, changes)):
        parts = path.split(os.sep)
        if parts[0] in (*OWN, SCRATCH) or BYTE_CODE in parts:
            continue
        content = content_of(os.path.join(folders.root, path))
        if content or os.path.lexists(os.path.join(folders.image, path)):
            shown = os.path.relpath(os.path.join(folders.root, path), folders.study)
            found[FILE + shown] = content or b"removed"
    return found


def _all_below(root: str, changes: "Changes") -> "Iterator[str]":
    """Yield the changed paths, and all in folders that are new, since what is put there later is not reported."""
    for path, level in changes.items():
        yield path
        full = os.path.join(root, path)
        if level == REPLACED and os.path.isdir(full) and not os.path.islink(full):
            for folder, folders, names in os.walk(full):
                for name in folders + names:
                    yield os.path.relpath(os.path.join(folder, name), root)


def content_of(path: str) -> bytes:
    """Return what represents the content of an entry of a folder, the digest of a long one; b"" if there is none."""
    try:
        stats = os.lstat(path)
        if stat.S_ISLNK(stats.st_mode):
            return b"link " + os.fsencode(os.readlink(path))
        if not stat.S_ISREG(stats.st_mode):
            return b"kind %d" % stat.S_IFMT(stats.st_mode)
        with open(path, "rb") as stream:
            if stats.st_size <= TEXT:
                return b"file " + stream.read()
            digest = hashlib.sha256()
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
            return b"digest " + digest.hexdigest().encode("ascii")
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        return str(error).encode("utf-8", "replace")
