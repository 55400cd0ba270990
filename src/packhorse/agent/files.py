"""Files on a login node: listings, uploads that appear complete or not at all, downloads from any offset."""

import errno
import hashlib
import os
import stat

from packhorse.agent.paths import (
    BLOCK,
    PART,
    RequestRefused,
    expanded,
    joined,
    make_folders,
    part_of,
    to_text,
)


def list_files(wire, path):
    """Return a file, or all files below a folder, as [relative name, size, mtime, mode]; other entries by name."""
    top, found, other = expanded(path, wire.environ), [], []
    if not os.path.lexists(top):
        return {"path": to_text(top), "kind": "", "files": [], "other": []}
    if not os.path.isdir(top):
        about = os.stat(top)
        row = ["", about.st_size, about.st_mtime, stat.S_IMODE(about.st_mode)]
        return {"path": to_text(top), "kind": "file", "files": [row], "other": []}
    folders = [b""]
    while folders:
        inside = folders.pop()
        for entry in sorted(os.scandir(os.path.join(top, inside)), key=lambda entry: entry.name):
            name = os.path.join(inside, entry.name)
            about = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(about.st_mode):
                folders.append(name)
            elif stat.S_ISREG(about.st_mode):
                if not name.endswith(PART):
                    found.append([to_text(name), about.st_size, about.st_mtime, stat.S_IMODE(about.st_mode)])
            else:
                other.append(to_text(name))
    return {"path": to_text(top), "kind": "folder", "files": found, "other": other}


def begun(wire, path, files):
    """Return what exists of files to upload ([name, size, mtime]): -1 for a complete one, else the bytes of its part."""
    top, found = expanded(path, wire.environ), []
    for name, size, mtime in files:
        full = joined(top, name)
        try:
            about = os.lstat(full)
            if stat.S_ISREG(about.st_mode) and about.st_size == size and abs(about.st_mtime - mtime) < 0.001:
                found.append(-1)
                continue
        except OSError:
            pass
        try:
            found.append(min(os.lstat(part_of(full, size, mtime)).st_size, size))
        except OSError:
            found.append(0)
    return {"path": to_text(top), "found": found}


def put(wire, path, files):
    """Receive files ([name, size, offset, mode, mtime]); each is followed by the SHA-256 of all its bytes.

    A file appears complete or not at all: a part stays beside it, to continue from. All bytes are read even after an
    error, so that the next request is understood.
    """
    top, failure, made = expanded(path, wire.environ), None, set()
    for name, size, offset, mode, mtime in files:
        body = wire.body(size - offset + 32)
        if failure is None:
            try:
                full = joined(top, name)
                if os.path.dirname(full) not in made:
                    make_folders(os.path.dirname(full), 0o700)
                    made.add(os.path.dirname(full))
                part = part_of(full, size, mtime)
                receive_part(body, part, size, offset)
                os.chmod(part, mode)
                os.utime(part, (mtime, mtime))
                os.rename(part, full)
                if offset:
                    forget_parts(full)
            except (OSError, RequestRefused) as error:
                failure = error
        body.skip()
    if failure:
        raise failure
    return {"path": to_text(top)}


def patch(wire, path, old, row, pieces):
    """Make a file ([name, size, mode, mtime]) from pieces of an old one ([offset, length]) and new bytes ([-1, length]).

    The new bytes follow, then the SHA-256 of all. If the old file is missing, no file is made; `made` tells.
    """
    top = expanded(path, wire.environ)
    name, size, mode, mtime = row
    full = joined(top, name)
    part = part_of(full, size, mtime)
    body = wire.body(sum(length for offset, length in pieces if offset < 0) + 32)
    try:
        with open(joined(top, old), "rb") as source, open(part, "wb") as stream:
            total = hashlib.sha256()
            for offset, length in pieces:
                for block in body.blocks(length) if offset < 0 else blocks_of(source, offset, length):
                    stream.write(block)
                    total.update(block)
        same = total.digest() == b"".join(body.blocks(32))
        if same:
            os.chmod(part, mode)
            os.utime(part, (mtime, mtime))
            os.rename(part, full)
        else:
            os.unlink(part)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        same = False
    finally:
        body.skip()
    return {"made": same}


def blocks_of(stream, offset, length):
    """Yield the blocks of a piece of a file."""
    stream.seek(offset)
    while length:
        block = stream.read(min(length, BLOCK))
        if not block:
            return  # it is shorter than it was: the digest will differ
        length -= len(block)
        yield block


def name(wire, path, row):
    """Rename the part of a file ([name, size, mode, mtime]) that another program uploaded, if it has the right size."""
    name, size, mode, mtime = row
    full = joined(expanded(path, wire.environ), name)
    part = part_of(full, size, mtime)
    try:
        if os.path.getsize(part) != size:
            return {"named": False}
    except OSError:
        return {"named": False}
    os.chmod(part, mode)
    os.utime(part, (mtime, mtime))
    os.rename(part, full)
    return {"named": True}


def forget_parts(full):
    """Remove the parts of a file that has changed since."""
    folder, name = os.path.split(full)
    for other in os.listdir(folder):
        if other.startswith(name + b".") and other.endswith(PART) and len(other) == len(name) + 9 + len(PART):
            os.unlink(os.path.join(folder, other))


def receive_part(body, part, size, offset):
    """Write a file's part from an offset on; raise RequestRefused if the SHA-256 does not match."""
    total = hashlib.sha256()
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(part, flags, 0o600), "r+b") as stream:
        hash_to(stream, offset, total)
        stream.truncate()
        for block in body.blocks(size - offset):
            stream.write(block)
            total.update(block)
    if total.digest() != b"".join(body.blocks(32)):
        os.unlink(part)
        raise RequestRefused("%s was damaged on the way" % to_text(part))


def give(wire, path, files):
    """Send files from an offset on ([name, offset]): for each a header, the bytes, and their SHA-256."""
    top = expanded(path, wire.environ)
    for name, offset in files:
        try:
            handle = os.open(joined(top, name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            wire.answer({"name": name, "size": -1, "why": error.strerror})
            continue
        with os.fdopen(handle, "rb") as stream:
            about = os.fstat(stream.fileno())
            size = max(0, about.st_size - offset)
            head = {"name": name, "size": size, "from": offset}
            wire.answer(dict(head, mode=stat.S_IMODE(about.st_mode), mtime=about.st_mtime))
            _send(wire, stream, offset, size)
    return {}


def _send(wire, stream, offset, size):
    digest = hashlib.sha256()
    stream.seek(offset)
    while size:
        block = stream.read(min(size, BLOCK))
        if not block:  # it was cut short meanwhile: zeros, and a digest that does not match
            wire.target.write(b"\0" * size)
            digest.update(b"cut short")
            break
        size -= len(block)
        digest.update(block)
        wire.target.write(block)
    wire.target.write(digest.digest())
    wire.target.flush()


def digest(wire, path, files):
    """Return the SHA-256 of the first bytes of files ([name, size]), "" where one is shorter or gone."""
    top, found = expanded(path, wire.environ), []
    for name, size in files:
        total = hashlib.sha256()
        try:
            with open(joined(top, name), "rb") as stream:
                found.append(total.hexdigest() if hash_to(stream, size, total) else "")
        except OSError:
            found.append("")
    return {"found": found}


def claim(wire, path):
    """Make a folder; return whether it did not exist before."""
    full = expanded(path, wire.environ)
    make_folders(os.path.dirname(full), 0o700)
    try:
        os.mkdir(full, 0o700)
        return {"made": True}
    except OSError as error:
        if error.errno != errno.EEXIST:
            raise
        return {"made": False}


def folders(wire, path, names):
    """Make private folders below a folder."""
    for name in names:
        make_folders(joined(expanded(path, wire.environ), name), 0o700)
    return {}


def drop(wire, path, names):
    """Remove files, and folders that are empty; missing ones are no error."""
    top = expanded(path, wire.environ)
    for name in names:
        full = joined(top, name)
        try:
            if os.path.isdir(full) and not os.path.islink(full):
                os.rmdir(full)
            else:
                os.unlink(full)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                raise
    return {}


def hash_to(stream, size, digest):
    """Update a digest with the first `size` bytes; return False if there are fewer."""
    stream.seek(0)
    while size:
        block = stream.read(min(size, BLOCK))
        if not block:
            return False
        size -= len(block)
        digest.update(block)
    return True
