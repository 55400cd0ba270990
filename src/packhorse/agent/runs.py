"""What a run directory on a cluster tells of itself in a few bytes: how its waves stand, and the ends of its journals."""

import os

from packhorse.agent.environments import content, extent
from packhorse.agent.environments import remove as removed
from packhorse.agent.paths import Refused, expanded, said

TAIL = 1 << 16  # bytes at a journal's end in which its last totals stand
FAILED = 20  # lines of failed attempts told for each journal, so that status can say why


def look(wire, path, known):
    """Tell what is new in a run directory: small files of its waves with their content, and the ends of journals.

    `known` is {name: [size, mtime in ns]}. Of a journal its header, its latest failures and its last lines are told.
    """
    top = expanded(path, wire.environ)
    files, ends, marks, names = {}, {}, {}, []
    for name in small_files(top):
        mark, content = changed(top, name, known)
        if mark is None:
            continue
        names.append(said(name))
        if content is not None:
            files[said(name)] = said(content)
            marks[said(name)] = mark
    journals = os.path.join(top, b"journal")
    for entry in sorted(os.listdir(journals)) if os.path.isdir(journals) else ():
        name = b"journal/" + entry
        about = os.stat(os.path.join(top, name))
        mark = [about.st_size, about.st_mtime_ns]
        names.append(said(name))
        if entry.endswith(b".ndjson") and known.get(said(name)) != mark:
            ends[said(name)] = said(journal_end(os.path.join(top, name), about.st_size))
            marks[said(name)] = mark
    return {"files": files, "ends": ends, "marks": marks, "names": names, "there": os.path.isdir(top)}


def small_files(top):
    """Yield the names of what a run directory tells of itself beside its journals."""
    for name in (b"stopped.json", b"cancelled"):
        yield name
    waves = os.path.join(top, b"waves")
    numbers = [one for one in os.listdir(waves) if one.isdigit()] if os.path.isdir(waves) else []
    for number in sorted(numbers, key=int):
        for name in (b"plan.json", b"work.json", b"submission.json", b"owner"):
            yield b"waves/" + number + b"/" + name


def changed(top, name, known):
    """Return a file's mark (None where it is not there), and its content where the mark is not the known one."""
    full = os.path.join(top, name)
    try:
        about = os.stat(full)
        mark = [about.st_size, about.st_mtime_ns]
        if known.get(said(name)) == mark:
            return mark, None
        with open(full, "rb") as stream:
            return mark, stream.read()
    except OSError:
        return None, None


def journal_end(path, size):
    """Return a little journal: the header, some lines of failed attempts, and the last lines with their totals."""
    with open(path, "rb") as stream:
        header = stream.readline()
        begin = max(len(header), size - TAIL)
        stream.seek(begin)
        lines = stream.read(size - begin).splitlines(True)
    if begin > len(header):
        lines = lines[1:]  # the first one may be half a line
    last = max([i for i, line in enumerate(lines) if line.startswith(b'"totals"', 17)] or [0])
    bad = [line for line in lines[:last] if b'"outcome":"' in line[:200]][-FAILED:]
    notes = [line for line in lines[:last] if line.startswith(b'"note"', 17)]
    ends = [line for line in lines[last:] if line.endswith(b"\n")]
    return header + b"".join(notes + bad + ends)


def extent_of(wire, path):
    """Tell how many bytes and files a run has here."""
    size, files = extent(expanded(path, wire.environ))
    return {"size": size, "files": files}


def remove(wire, path, run):
    """Remove the directory of a run that has this id; one that is gone already is no mistake."""
    top = expanded(path, wire.environ)
    if not os.path.isdir(top):
        return {"removed": False}
    about = content(os.path.join(top, b"run.json"))
    if not isinstance(about, dict) or about.get("id") != run:
        raise Refused("%s is not this run, and nothing was removed there" % said(top))
    return {"removed": removed(top)}
