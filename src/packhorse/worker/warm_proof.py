"""Whether a script may start warm: one task runs cold twice and warm twice, and what it leaves is compared.

Where the cold starts agree, the warm ones must agree with them. Where the cold starts differ (random numbers that were
not seeded, process ids), the warm ones must differ, too: a state that all of them inherit would make them agree.
"""

import hashlib
import os
import re

# Numbers, words, or single characters. A number is compared whole: 0.41 and 0.42 have nothing in common.
PIECES = re.compile(br"[\w.+-]+|[^\w]")
# Times of day change with the second in which a task begins, and warm tasks begin in the same one.
CLOCK = re.compile(br"\b\d{1,2}:\d\d(:\d\d([.,]\d+)?)?\b")
ADDRESS = re.compile(br"\bat 0x[0-9a-f]+")  # of an object, in its repr: forks have one layout of memory
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
    if all(data == cold[0] for data in cold + warm):
        return ""
    pieces = [_pieces(data) for data in cold + warm]
    if any(one is None or len(one) != len(pieces[0]) for one in pieces):
        pieces = [[data] for data in cold + warm]
    for values in zip(*pieces):
        why = _rule(values[: len(cold)], values[len(cold) :])
        if why:
            return why
    return ""


def _rule(cold, warm):
    if len(set(cold)) == 1:
        if set(warm) != set(cold):
            return "is the same in cold starts and another in warm ones"
    elif len(set(warm)) < len(warm):
        return "differs between cold starts and not between warm ones"
    return ""


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
