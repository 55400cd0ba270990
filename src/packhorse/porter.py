"""What answers a laptop on a login node: starts commands, tells of files, takes and gives bytes.

It travels through the connection itself (see `packhorse.run.far`), so that nothing has to be installed, and ends with
it. Requests and answers are lines of JSON, each followed by as many raw bytes as it says. Standard library only,
Python 3.6, also with `-S -E`. All paths are bytes: names need not be UTF-8, and Python 3.6 in the C locale could not
even name those that are.
"""

import errno
import hashlib
import json
import os
import platform
import pwd
import signal
import socket
import stat
import subprocess
import sys
import time

BLOCK = 1 << 20
PART = b".packhorse-part"  # the ending of a file that has not come whole
SMALL = 1 << 16  # a file of a run directory that is told with its content
TAIL = 1 << 16  # bytes at a journal's end in which its last totals stand
FAILED = 20  # lines of failed attempts told for each journal, so that status can say why
LOGIN_SECONDS = 30  # for a login shell to say its environment
LOGIN_OLD = 86400  # seconds after which it is asked again
# What of a login shell's environment makes programs be found and work. Nothing else is kept: it may hold secrets.
KEPT = ("PATH", "LD_LIBRARY_PATH", "MANPATH", "MODULEPATH", "MODULESHOME", "MODULES_CMD", "LOADEDMODULES", "_LMFILES_")
KEPT_HEADS = ("LMOD_", "SLURM_CONF", "PBS_", "TORQUE", "MODULE_VERSION")


class Refused(Exception):
    """What cannot be done, in a sentence for the user."""


def raw(text):
    """Return a name or path as bytes."""
    return text.encode("utf-8", "surrogateescape")


def said(name):
    """Return bytes as JSON can carry them."""
    return name.decode("utf-8", "surrogateescape")


class Porter(object):
    """Answers one laptop."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.environ = dict(os.environ)
        self.environ["LC_ALL"] = "C"
        self.environ.pop("LANGUAGE", None)

    def serve(self):
        """Answer until the laptop has no further question."""
        while True:
            line = self.source.readline()
            if not line:
                return
            request = json.loads(line.decode("ascii"))
            number = request.pop("id")
            try:
                answer = getattr(self, "do_" + request.pop("do"))(**request)
            except Refused as error:
                answer = {"wrong": str(error)}
            except OSError as error:
                where = error.filename
                where = said(where) if isinstance(where, bytes) else where
                answer = {"wrong": "%s: %s" % (where, error.strerror) if where else str(error), "errno": error.errno}
            self.answer(dict(answer, id=number))

    def answer(self, value, data=b""):
        """Write one answer."""
        self.target.write(json.dumps(dict(value, bytes=len(data))).encode("ascii") + b"\n" + data)
        self.target.flush()

    def read(self, size):
        """Yield so many bytes of the request, in blocks."""
        while size:
            block = self.source.read(min(size, BLOCK))
            if not block:
                raise SystemExit(1)  # the laptop is gone
            size -= len(block)
            yield block

    # Who and where

    def do_hello(self, programs, paths=()):
        """Tell who and where we are; find a login shell's environment where a program is not on the PATH."""
        login = False
        if not all(which(name, self.environ) for name in programs):
            found = login_environment(self.environ)
            if found:
                self.environ.update(found)
                login = True
        about = pwd.getpwuid(os.getuid())
        return {
            "user": about.pw_name,
            "home": said(os.path.realpath(raw(about.pw_dir))),
            "host": socket.gethostname(),
            "system": platform.system(),
            "machine": platform.machine(),
            "python": sys.executable,
            "version": platform.python_version(),
            "login": login,
            "programs": {name: which(name, self.environ) for name in programs},
            "paths": [self.place(path) for path in paths],
            "time": time.time(),
        }

    def place(self, path):
        """Return what a path with ~ and variables means here, and how much may be written there."""
        full = expanded(path, self.environ)
        if full is None:
            return {"said": path, "path": "", "why": "a variable in it is not set"}
        there = full
        while not os.path.isdir(there) and there != os.path.dirname(there):
            there = os.path.dirname(there)
        room = os.statvfs(there)
        return {
            "said": path,
            "path": said(full),
            "exists": os.path.isdir(full),
            "writable": os.access(there, os.W_OK | os.X_OK),
            "free": room.f_bavail * room.f_frsize,
            "files": room.f_favail if room.f_files else None,
        }

    def do_run(self, argv, timeout, env=None, unset=(), folder=None, stdin=""):
        """Run a command to its end; at its timeout its process group is killed."""
        heads = tuple(name[:-1] for name in unset if name.endswith("*"))
        environ = {
            name: value
            for name, value in self.environ.items()
            if name not in unset and not (heads and name.startswith(heads))
        }
        environ.update(env or {})
        try:
            process = subprocess.Popen(
                [raw(word) for word in argv],
                cwd=raw(folder) if folder else None,
                env={raw(name): raw(value) for name, value in environ.items()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            why = "not found" if error.errno == errno.ENOENT else "could not be started: %s" % error.strerror
            return {"status": None, "stdout": "", "stderr": "%s: %s" % (argv[0], why)}
        late = ""
        try:
            out, err = process.communicate(raw(stdin), timeout)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            status, late = None, "%s: did not answer within %g s\n" % (argv[0], timeout)
        words = [one.decode("utf-8", "replace") for one in (out, err)]
        return {"status": status, "stdout": words[0], "stderr": words[1] + late}

    # Files

    def do_list(self, path):
        """List a file, or all files under a folder: relative name, size, mtime, mode; links and others are named."""
        top, found, other = expanded(path, self.environ), [], []
        if top is None or not os.path.lexists(top):
            return {"path": said(top or b""), "kind": "", "files": [], "other": []}
        if not os.path.isdir(top):
            about = os.stat(top)
            row = ["", about.st_size, about.st_mtime, stat.S_IMODE(about.st_mode)]
            return {"path": said(top), "kind": "file", "files": [row], "other": []}
        folders = [b""]
        while folders:
            inside = folders.pop()
            for entry in sorted(os.scandir(os.path.join(top, inside)), key=lambda one: one.name):
                name = os.path.join(inside, entry.name)
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(about.st_mode):
                    folders.append(name)
                elif stat.S_ISREG(about.st_mode):
                    if not name.endswith(PART):
                        found.append([said(name), about.st_size, about.st_mtime, stat.S_IMODE(about.st_mode)])
                else:
                    other.append(said(name))
        return {"path": said(top), "kind": "folder", "files": found, "other": other}

    def do_begun(self, path, files):
        """Tell of files that are to come ([name, size, mtime]) which are here: -1 for one that is, else bytes of its part."""
        top, found = expanded(path, self.environ), []
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
                found.append(min(os.lstat(full + PART).st_size, size))
            except OSError:
                found.append(0)
        return {"path": said(top), "found": found}

    def do_put(self, path, files, private=True):
        """Take files ([name, size, offset, mode, mtime]); each is followed by the SHA-256 of all its bytes.

        A file appears whole or not at all: what has come of one stays beside it, to go on from.
        """
        top, trouble, made = expanded(path, self.environ), None, set()
        for name, size, offset, mode, mtime in files:
            full = joined(top, name)
            if trouble is None:
                trouble = self._take(full, size, offset, (mode, mtime, private), made)
            else:
                for _ in self.read(size - offset + 32):
                    pass
        if trouble:
            raise trouble
        return {"path": said(top)}

    def _take(self, full, size, offset, about, made):
        """Take one file; return what went wrong, its bytes read in any case."""
        mode, mtime, private = about
        left, stream = size - offset, None
        try:
            folder = os.path.dirname(full)
            if folder not in made:
                make_folders(folder, 0o700 if private else 0o777)
                made.add(folder)
            part = full + PART
            digest = hashlib.sha256()
            stream = open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), "r+b")
            hash_to(stream, offset, digest)
            stream.truncate()
            for block in self.read(left):
                left -= len(block)
                stream.write(block)
                digest.update(block)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            stream.close()
            wanted = b"".join(self.read(32))
            left = -32
            if digest.digest() != wanted:
                os.unlink(part)
                return Refused("%s did not come as it was sent; try again" % said(full))
            os.utime(part, (mtime, mtime))
            os.rename(part, full)
            return None
        except OSError as error:
            for _ in self.read(left + 32):
                pass
            return error
        finally:
            if stream is not None:
                stream.close()

    def do_give(self, path, files):
        """Give files from an offset on ([name, offset]); each is told before its bytes, with their SHA-256 after them."""
        top = expanded(path, self.environ)
        for name, offset in files:
            try:
                stream = open(joined(top, name) if name else top, "rb")
            except OSError as error:
                self.answer({"name": name, "size": -1, "wrong": error.strerror})
                continue
            with stream:
                about = os.fstat(stream.fileno())
                size = max(0, about.st_size - offset)
                head = {"name": name, "size": size, "from": offset}
                self.answer(dict(head, mode=stat.S_IMODE(about.st_mode), mtime=about.st_mtime))
                self._give(stream, offset, size)
        return {}

    def _give(self, stream, offset, size):
        digest = hashlib.sha256()
        stream.seek(offset)
        while size:
            block = stream.read(min(size, BLOCK))
            if not block:  # it was cut short meanwhile: zeros, and a digest that says so
                self.target.write(b"\0" * size)
                digest.update(b"cut short")
                break
            size -= len(block)
            digest.update(block)
            self.target.write(block)
        self.target.write(digest.digest())
        self.target.flush()

    def do_digest(self, path, files):
        """Return the SHA-256 of the first bytes of files ([name, size]), "" where one is shorter or gone."""
        top, found = expanded(path, self.environ), []
        for name, size in files:
            digest = hashlib.sha256()
            try:
                with open(joined(top, name), "rb") as stream:
                    found.append(digest.hexdigest() if hash_to(stream, size, digest) else "")
            except OSError:
                found.append("")
        return {"found": found}

    def do_claim(self, path):
        """Make a folder, and tell whether it was us who made it."""
        full = expanded(path, self.environ)
        make_folders(os.path.dirname(full), 0o700)
        try:
            os.mkdir(full, 0o700)
            return {"made": True}
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise
            return {"made": False}

    def do_drop(self, path, names):
        """Remove files, and folders that are empty then; what is not there is gone already."""
        top = expanded(path, self.environ)
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

    def do_look(self, path, known):
        """Tell what is new in a run directory: small files of its waves with their content, and the ends of journals.

        `known` is {name: [size, mtime in ns]}. Of a journal its header, its latest failures and its last lines are told.
        """
        top = expanded(path, self.environ)
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


def expanded(path, environ):
    """Return an absolute path for one with ~ and variables of a login shell; None where a variable is not set."""
    words = raw(path)
    if words == b"~" or words.startswith(b"~/"):
        words = raw(pwd.getpwuid(os.getuid()).pw_dir) + words[1:]
    if words.startswith(b"$"):
        name, _, rest = words[1:].partition(b"/")
        value = environ.get(said(name.strip(b"{}")), "")
        if not value:
            return None
        words = os.path.join(raw(value), rest)
    return os.path.normpath(os.path.join(raw(pwd.getpwuid(os.getuid()).pw_dir), words))


def joined(top, name):
    """Return the path of a name under a folder; one that would leave it is refused."""
    words = raw(name)
    if not words:
        return top
    if words.startswith(b"/") or b".." in words.split(b"/"):
        raise Refused("%s is not inside the folder" % name)
    return os.path.join(top, words)


def make_folders(path, mode):
    """Make a folder and those above it, as private as asked."""
    if not os.path.isdir(path):
        make_folders(os.path.dirname(path), mode)
        try:
            os.mkdir(path, mode)
        except OSError as error:
            if error.errno != errno.EEXIST:
                raise


def hash_to(stream, size, digest):
    """Read so many bytes from the beginning into a digest; tell whether there were so many."""
    stream.seek(0)
    while size:
        block = stream.read(min(size, BLOCK))
        if not block:
            return False
        size -= len(block)
        digest.update(block)
    return True


def which(name, environ):
    """Return the path of a program, "" where there is none."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def login_environment(environ):
    """Return what a login shell of the user sets, remembered for a day; a plain command sees less on many sites."""
    home = pwd.getpwuid(os.getuid()).pw_dir
    cache = os.path.join(environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "packhorse")
    path = os.path.join(cache, "login-%s.json" % socket.gethostname())
    try:
        about = os.stat(path)
        if about.st_uid == os.getuid() and 0 <= time.time() - about.st_mtime < LOGIN_OLD:
            with open(path) as stream:
                return json.load(stream)
    except (OSError, ValueError):
        pass
    mark = "packhorse-login-%d" % os.getpid()
    ask = [sys.executable, "-S", "-E", "-c", "import os,sys,json;print(sys.argv[1]+json.dumps(dict(os.environ)))", mark]
    line = "exec " + " ".join("'%s'" % word.replace("'", "'\\''") for word in ask)
    shell = pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    shell = shell if os.path.basename(shell) in ("bash", "sh", "zsh", "ksh", "dash") else "/bin/bash"
    try:
        process = subprocess.Popen(
            [shell, "-l", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            out = process.communicate(timeout=LOGIN_SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return {}
        text = out.decode("utf-8", "surrogateescape").rpartition(mark)[2]
        values = json.loads(text)
    except (OSError, ValueError):
        return {}
    found = {name: value for name, value in values.items() if name in KEPT or name.startswith(KEPT_HEADS)}
    try:
        make_folders(raw(cache), 0o700)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(found, stream)
        os.rename(path + ".new", path)
    except OSError:
        pass  # it is asked again next time
    return found


def main():
    """Say that we are here, behind whatever a shell's files have printed, and serve."""
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    target = sys.stdout.buffer
    target.write(b"\n" + raw(sys.argv[1]) + b"\n")
    target.flush()
    try:
        Porter(sys.stdin.buffer, target).serve()
    except (IOError, KeyboardInterrupt):
        sys.exit(1)


if __name__ == "__main__":
    main()
