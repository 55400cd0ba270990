"""The state of a run directory in a few bytes: the small files of its waves and the ends of its journals."""

import os

from packhorse.agent.environments import content, extent
from packhorse.agent.environments import remove as removed
from packhorse.agent.paths import RequestRefused, expanded, to_text

TAIL = 1 << 16  # bytes at a journal's end that hold its last totals
FAILED = 20  # lines of failed attempts returned for each journal, so that status can give causes


def look(wire, path, known):
    """Return what is new in a run directory: the content of small files of its waves, and the ends of journals.

    `known` is {name: [size, mtime in ns]}. The end of a journal is its header, its latest failures and its last lines.
    """
    top = expanded(path, wire.environ)
    files, ends, marks, names = {}, {}, {}, []
    for name in small_files(top):
        mark, content = changed(top, name, known)
        if mark is None:
            continue
        names.append(to_text(name))
        if content is not None:
            files[to_text(name)] = to_text(content)
            marks[to_text(name)] = mark
    journals = os.path.join(top, b"journal")
    for entry in sorted(os.listdir(journals)) if os.path.isdir(journals) else ():
        name = b"journal/" + entry
        about = os.stat(os.path.join(top, name))
        mark = [about.st_size, about.st_mtime_ns]
        names.append(to_text(name))
        if entry.endswith(b".ndjson") and known.get(to_text(name)) != mark:
            ends[to_text(name)] = to_text(journal_end(os.path.join(top, name), about.st_size))
            marks[to_text(name)] = mark
    return {"files": files, "ends": ends, "marks": marks, "names": names, "there": os.path.isdir(top)}


def small_files(top):
    """Yield the names of a run directory's small files."""
    for name in (b"stopped.json", b"cancelled"):
        yield name
    warm = os.path.join(top, b"warm")
    for name in sorted(os.listdir(warm)) if os.path.isdir(warm) else ():
        if name.endswith(b".json") and not name.startswith(b"."):
            yield b"warm/" + name
    waves = os.path.join(top, b"waves")
    numbers = [name for name in os.listdir(waves) if name.isdigit()] if os.path.isdir(waves) else []
    for number in sorted(numbers, key=int):
        for name in (b"plan.json", b"work.json", b"submission.json", b"owner"):
            yield b"waves/" + number + b"/" + name


def changed(top, name, known):
    """Return a file's mark, or None if it is missing, and its content if the mark is not the known one."""
    full = os.path.join(top, name)
    try:
        about = os.stat(full)
        mark = [about.st_size, about.st_mtime_ns]
        if known.get(to_text(name)) == mark:
            return mark, None
        with open(full, "rb") as stream:
            return mark, stream.read()
    except OSError:
        return None, None


def journal_end(path, size):
    """Return a short journal: the header, some lines of failed attempts, and the last lines with their totals."""
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
    """Return how many bytes and files a run has here."""
    size, files = extent(expanded(path, wire.environ))
    return {"size": size, "files": files}


def remove(wire, path, run):
    """Remove the directory of the run with this id; a missing one is ignored."""
    top = expanded(path, wire.environ)
    if not os.path.isdir(top):
        return {"removed": False}
    about = content(os.path.join(top, b"run.json"))
    if not isinstance(about, dict) or about.get("id") != run:
        raise RequestRefused("%s is another run; nothing was removed" % to_text(top))
    return {"removed": removed(top)}
