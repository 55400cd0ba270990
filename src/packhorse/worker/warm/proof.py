"""Whether a script may start warm: one task runs cold twice and warm twice, and what it leaves is compared.

Where the cold starts agree, the warm ones must agree with them. Where the cold starts differ (random numbers that were
not seeded, process ids), the warm ones must differ, too: a state that all of them inherit would make them agree.
"""

import hashlib
import os
import re

# Numbers, words, or single characters. A number is compared whole: 0.41 and 0.42 have nothing in common.
PIECES = re.compile(rb"[\w.+-]+|[^\w]")
# Times of day change with the second in which a task begins, and warm tasks begin in the same one.
CLOCK = re.compile(rb"\b\d{1,2}:\d\d(:\d\d([.,]\d+)?)?\b")
ADDRESS = re.compile(rb"\bat 0x[0-9a-f]+")  # of an object, in its repr: forks have one layout of memory
LONG = 6  # bytes of a piece that two starts hardly have in common by chance
CHANGED = "is the same in cold starts and another in warm ones"
TEXT = 1 << 20  # longer texts are compared whole


def verdict(cold, warm):
    """Return why warm starts must not be used, as the end of a sentence about the script, or "" where they may.

    `cold` and `warm` are lists of traces, one for each start; a trace is a dict from what was left behind, named as in
    the sentence ("exit status", "result", "output", "file a.csv"), to bytes.
    """
    for name in _names(cold + warm):
        why = _difference([trace.get(name) for trace in cold], [trace.get(name) for trace in warm])
        if why:
            return "its %s %s" % (name, why)
    return ""


def _names(traces):
    found = []
    for trace in traces:
        found += [name for name in trace if name not in found]
    return found


def _difference(cold, warm):
    if all(data == cold[0] for data in cold):
        return "" if all(_same(data, cold[0]) for data in warm) else CHANGED
    pieces = [_pieces(data) for data in cold + warm]
    if any(one is None or len(one) != len(pieces[0]) for one in pieces):
        pieces = [[data] for data in cold + warm]
    varying = []
    for values in zip(*pieces):
        before, after = values[: len(cold)], values[len(cold) :]
        if len(set(before)) > 1:
            varying.append(after)
        elif len(before[0] or b"") >= LONG and set(after) != set(before):
            return CHANGED
    if varying and len(set(zip(*varying))) < len(warm):
        return "differs between cold starts and not between warm ones"
    return ""


def _same(one, other):
    return one == other or (_pieces(one) is not None and _pieces(one) == _pieces(other))


def _pieces(data):
    if data is None or len(data) > TEXT:
        return None
    return PIECES.findall(ADDRESS.sub(b"at 0x", CLOCK.sub(b"00:00:00", data)))


def digests(folder, before, after):
    """Return {"file PATH": digest} of files that are new or changed, from two states of a folder (Place.state)."""
    found = {}
    for path in after:
        if after[path] != before.get(path):
            found["file %s" % path] = _digest(os.path.join(folder, path))
    for path in before:
        if path not in after:
            found["file %s" % path] = b"removed"
    return found


def _digest(path):
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    except OSError as error:
        return str(error).encode("utf-8", "replace")
    return digest.hexdigest().encode("ascii")
