"""A warm process: a Python interpreter that imports modules once and forks a child for each task.

The launcher starts this file under the interpreter of the tasks, with their flags, environment, directory and standard
streams, so that a forked child has all of them without being told. Nothing is imported here that a fresh interpreter
has not loaded, but modules that are built in; those are hidden from `sys.modules` again. Python 3.6 or newer.

Requests and replies travel over two pipes, each message as four bytes of length and its text.
Requests: `w` and NUL-separated words (a folder, then modules: import them, then check), `s` and a command (kind `script`
or `module`, the path or the module, the folder to start in: prepare to run it), `r` or `l` and a task (run it; `l`: also
report what it has loaded). A task is NUL-separated: the folder to start in, the number of words of the command line, how
many of them belong to the interpreter, the words, `all` or `some`, and NAME=VALUE variables: all of the task, or those
that differ from what the process was started with.
Replies: `o` (ready) and, NUL-separated, the modules that failed, the files and folders to watch, and what these are now;
`b`, a module and a sentence (not fit to be forked); `p` and a process id (started; the task itself says so), `m` and
modules (what the task has loaded), `e` and numbers (ended), `c` and a sentence (start it cold).

How a task ended is in a file as well (`plain_wait`), where the launcher reads it if this process is killed before `e`.

The time of a task is mostly that of its pages: each page that the child or the server writes to while the other one has it
costs some two microseconds. So the server does nothing between two forks that the launcher or the child can do.

The name under which this file is stored contains `importlib` and `_bootstrap`: `warnings` passes over such frames
(warnings.py, _is_internal_frame), so that the stack level of a task's warning never ends in this file.
"""

import os
import sys

FRESH = [name for name in globals() if name[:2] == "__"]  # what a new __main__ has, in order
if sys.argv[3:] == ["module"]:
    import runpy  # noqa: F401 - `python -m` has loaded it
MODULES = set(sys.modules)

import _signal  # noqa: E402
import _thread  # noqa: E402
import _warnings  # noqa: E402
import atexit  # noqa: E402
import errno  # noqa: E402
import gc  # noqa: E402

try:
    import ctypes
except ImportError:  # a Python built without libffi
    ctypes = None

PAGE, HUGE = 1 << 12, 1 << 21  # bytes of a usual and of a huge page
MADV_DONTFORK, MADV_COLLAPSE = 10, 25  # linux/mman.h
PROT_READ_WRITE, MAP_SHARED = 3, 1  # sys/mman.h
MODULE = 30000  # bytes of Python's memory that a module takes
REHEARSALS = {
    "argparse": """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int)
parser.parse_args(["--n", "1"])
""",
    "json": """
import json
json.loads(json.dumps({"a": 0.5}))
""",
    "numpy.random": """
import numpy
numpy.random.default_rng(1).normal(size=8).mean()
""",
}
ROOM = 1 << 16  # bytes of a usual message
STARTED = b"\0\0\0\x0bp%-10d"
FILE_NAMES = sys.getfilesystemencoding(), "surrogateescape"
HIGH = 250  # our pipes have high numbers, so that the first file that a task opens has the number of a fresh start
HAS_FOLDER = not (
    sys.flags.isolated or getattr(sys.flags, "safe_path", False)
)  # whether sys.path begins with ours
GPUS = ("/dev/nvidia", "/dev/kfd")  # open in a process that has a CUDA or ROCm context
MPI = ("/libmpi.", "/libmpich.", "/libmpi_", "/libmpifort.", "/libpmi.", "/libpmi2.", "/libpmix.")
# Packages whose C code leaves no work to exit handlers of the C library: to run them costs as much as the fork.
PLAIN_EXIT = frozenset(
    [
        "bottleneck",
        "contourpy",
        "cffi",
        "charset_normalizer",
        "joblib",
        "kiwisolver",
        "lxml",
        "markupsafe",
        "matplotlib",
        "msgspec",
        "numba",
        "numexpr",
        "numpy",
        "orjson",
        "pandas",
        "patsy",
        "PIL",
        "polars",
        "polars_runtime_32",
        "polars_runtime_64",
        "psutil",
        "pyarrow",
        "pydantic_core",
        "pywt",
        "regex",
        "rpds",
        "ruamel",
        "scipy",
        "shapely",
        "simplejson",
        "skimage",
        "sklearn",
        "statsmodels",
        "ujson",
        "yaml",
    ]
)


def roots():
    """Return the folders of the standard library and of installed packages."""
    places = [os.path.dirname(os.__file__), *[name for name in sys.path if name.endswith("-packages")]]
    return tuple(os.path.join(name, "") for name in places)


def is_installed(name, module, places):
    """Tell whether a loaded module can be imported again by its name and belongs to the environment."""
    spec = getattr(module, "__spec__", None)
    if spec is None or spec.name != name:
        return False
    if spec.origin in ("built-in", "frozen"):
        return True
    if spec.origin and spec.has_location:
        return spec.origin.startswith(places)
    paths = list(spec.submodule_search_locations or ())  # a namespace package
    return bool(paths) and all((path + "/").startswith(places) for path in paths)


def plain_exit(names, places):
    """Tell whether the extension modules among these leave nothing to the exit handlers of the C library.

    Their package is that of their file, since the name of a module of Cython may be without it (`_cyutility` of SciPy).
    """
    for name in names:
        spec = getattr(sys.modules.get(name), "__spec__", None)
        origin = getattr(spec, "origin", None)
        if not isinstance(origin, str) or not origin.endswith(".so") or "/lib-dynload/" in origin:
            continue
        package = [origin[len(place) :] for place in places if origin.startswith(place)]
        if not package or package[-1].partition("/")[0].partition(".")[0].lstrip("_") not in PLAIN_EXIT:
            return False
    return True


def has_threads():
    """Tell whether this process has threads that a fork would lose.

    jemalloc's background thread only returns memory to the system, and jemalloc prepares it for forks itself
    (background_thread.c, background_thread_postfork_child); pyarrow starts it.
    """
    for thread in os.listdir("/proc/self/task"):
        if thread != str(os.getpid()):
            try:
                with open("/proc/self/task/%s/comm" % thread) as stream:
                    if stream.read() != "jemalloc_bg_thd\n":
                        return True
            except OSError:
                pass  # it has ended
    return False


def end_at_fork():
    """Fork once; tell whether the threads of this process have ended before that.

    OpenBLAS ends its threads before a fork, and starts them again when they are needed (memory.c,
    openblas_fork_handler), so that its process can be copied.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return not has_threads()


def has_children():
    """Tell whether this process has child processes."""
    try:
        os.waitpid(-1, os.WNOHANG)
        return True
    except ChildProcessError:
        return False


def reseeders():
    """Return what a child calls so that its random numbers and times are those of a fresh start."""
    found = []
    if "random" in sys.modules and sys.version_info < (3, 7):  # from 3.7 on random does so itself
        found.append(sys.modules["random"].seed)
    legacy = getattr(sys.modules.get("numpy.random.mtrand"), "_rand", None)
    if legacy is not None:
        found.append(legacy_numpy(legacy) or legacy.seed)
    process = sys.modules.get("multiprocessing.process")
    if process is not None:
        authkey = process.AuthenticationString
        config = process._current_process._config
        found.append(lambda: config.update(authkey=authkey(os.urandom(32))))
    logging = sys.modules.get("logging")
    if logging is not None:
        time = sys.modules["time"]
        clock = time.time_ns if isinstance(logging._startTime, int) else time.time  # novermin
        found.append(lambda: setattr(logging, "_startTime", clock()))
    return found


def plain_fork(library):
    """Return the C library's fork, and what a child must call after it of the functions that os.fork() would call.

    What os.fork() does beside it prepares a process for the loss of its other threads (PyOS_AfterFork_Child in
    posixmodule.c), of which we have none, and it touches 150 pages. The functions that modules have registered are
    found where the interpreter keeps them, beside those that we add. Where the server would have to call one that is
    not known, or the interpreter is too old or too new to be known, it is os.fork() that is returned.
    """
    usual = os.fork, []
    has_lock = getattr(sys, "_is_gil_enabled", bool)() or sys.version_info < (3, 13)
    known_python = has_lock and (3, 8) <= sys.version_info[:2] <= (
        3,
        14,
    )  # 3.7 keeps its process id for signals
    if library is None or not known_python:
        return usual
    marks = [lambda: 0, lambda: 1, lambda: 2]
    os.register_at_fork(before=marks[0], after_in_child=marks[1], after_in_parent=marks[2])  # novermin
    hooks = []
    for mark in marks:
        found = [one for one in gc.get_referrers(mark) if type(one) is list and one is not marks]
        if len(found) != 1 or found[0].pop() is not mark:
            return usual
        hooks.append(list(found[0]))
    known = needless_hooks()
    before, in_child, in_parent = [[one for one in some if one not in known] for some in hooks]
    if before or in_parent:
        return usual
    threading = sys.modules.get("threading")
    if hasattr(threading, "get_native_id"):  # Python 3.8
        in_child.append(threading._main_thread._set_native_id)
    return library.fork, in_child


def needless_hooks():
    """Return functions of the standard library that mend locks of other threads after a fork."""
    names = {
        "threading": ["_after_fork"],
        "logging": [
            "_acquireLock",
            "_releaseLock",
            "_prepareFork",
            "_afterFork",
            "_after_at_fork_child_reinit_locks",
        ],
        "concurrent.futures.thread": ["acquire", "release", "_at_fork_reinit"],
    }
    found = []
    for module, functions in names.items():
        place = sys.modules.get(module)
        place = getattr(place, "_global_shutdown_lock", place)
        found.extend(getattr(place, name, None) for name in functions)
    return found


def rehearse():
    """Call what scripts often call of libraries that are loaded, where it leaves nothing that a script can see.

    A first call fills caches, such as those of attributes of types and of regular expressions. A child that does so
    copies their pages: the first use of `argparse` costs as much as the fork.
    """
    for name, text in REHEARSALS.items():
        if name in sys.modules:
            before = set(sys.modules)
            try:
                exec(text, {})  # noqa: S102 - texts of this file
            except BaseException:
                pass  # a version that has another interface
            for new in set(sys.modules) - before:
                del sys.modules[new]


def reserved(size):
    """Make the interpreter take so many bytes of memory in one piece; return what keeps it from giving it back.

    Else libraries that are loaded lie between its parts, which are then too small for huge pages.
    """
    blocks = [bytes(440) for _ in range(size // 480)]  # 473 bytes each, of blocks of 480
    return blocks[::500]  # one for 240 KB: at least one in each arena, which has 256 KiB or more (obmalloc.c)


def use_huge_pages(library):
    """Let the memory that is there lie in huge pages, if the system can (Linux 6.1): a fork copies each as one."""
    if library is None or os.sysconf("SC_PAGE_SIZE") != PAGE:
        return
    collapse = library.madvise
    collapse.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    try:
        with open("/proc/self/maps") as stream:
            rows = [row.split() for row in stream]
        with open("/proc/self/pagemap", "rb") as pages:
            for row in rows:
                if row[1] != "rw-p" or row[5:] not in ([], ["[heap]"]):
                    continue
                first, end = [int(word, 16) for word in row[0].split("-")]
                for start in range(-(-first // HUGE) * HUGE, end - HUGE + 1, HUGE):
                    pages.seek(start // PAGE * 8)
                    present = pages.read(HUGE // PAGE * 8)[7::8]  # the highest bit of each entry (proc(5))
                    if sum(byte >> 7 for byte in present) > len(present) // 2:
                        collapse(start, HUGE, MADV_COLLAPSE)
    except OSError:
        pass  # no /proc


def wait(pid):
    """Wait for a child; return (status, seconds as user, seconds of the system, peak of memory)."""
    _, status, usage = os.wait4(pid, 0)
    sys.modules.pop("resource", None)  # it has loaded that
    return status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss


def shared_memory(library, path, size):
    """Return the address of so many bytes of a new file, or None. Forked children do not have them."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.ftruncate(descriptor, size)
    library.mmap.restype = ctypes.c_void_p
    library.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
    address = library.mmap(None, size, PROT_READ_WRITE, MAP_SHARED, descriptor, 0)
    os.close(descriptor)
    if address == ctypes.c_void_p(-1).value:
        return None
    library.madvise.argtypes = [ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int]
    library.madvise(address, PAGE, MADV_DONTFORK)
    return address


def plain_wait(library, path):
    """Return wait() without the module `resource`, which os.wait4() would load each time, since a task must not see it.

    The system takes an ended child away and writes how it ended in one call, which no signal interrupts, not even
    SIGKILL. It writes to a file: the launcher reads it there if this process is killed before it sends its reply.
    """
    rusage, integer = ctypes.c_long * 18, ctypes.c_int  # struct rusage in sys/resource.h
    size = ctypes.sizeof(rusage) + ctypes.sizeof(integer)
    address = shared_memory(library, path, size)
    if address is None:
        return wait
    used = rusage.from_address(address)
    status = integer.from_address(address + ctypes.sizeof(rusage))
    places = ctypes.byref(status), ctypes.byref(used)

    def plain(pid):
        used[4] = (
            0  # not known; and the page is there, since the system could not fetch it for a process being killed
        )
        while library.wait4(pid, places[0], 0, places[1]) != pid:
            if ctypes.get_errno() != errno.EINTR:
                raise OSError(ctypes.get_errno(), "wait4")
        return status.value, used[0] + used[1] / 1e6, used[2] + used[3] / 1e6, used[4]

    return plain


def stamp(name):
    """Return what a file or folder is now, to find out whether it has changed."""
    try:
        about = os.stat(name)
    except OSError:
        return "missing"
    return "%d %d %d" % (about.st_mtime_ns, about.st_size, about.st_ino)


def legacy_numpy(state):
    """Return a function that seeds NumPy's global generator by writing its words, or None.

    `seed()` costs a fifth of a fork, since it touches many pages, and each must be copied.
    """
    try:
        kind, key, position, has_gauss, _ = state.get_state()
        address = state._bit_generator.ctypes.state_address
        state_words = (sys.modules["ctypes"].c_uint32 * 624).from_address(address)
        # Nothing has been drawn yet; the first word is the same after each seed.
        fresh = (kind, has_gauss, key[0]) == ("MT19937", 0, 1 << 31) and position in (623, 624)
        if not fresh or list(state_words) != list(key):
            return None
        view = memoryview(state_words).cast("B")[4:]
    except Exception:
        return None

    def seed():
        view[:] = os.urandom(2492)

    return seed


class Unsuitable(Exception):
    """A command that cannot be run by forks."""


class Server(object):
    """Imports modules, checks itself, and forks."""

    def __init__(self, requests, replies):
        self.requests, self.replies = HIGH, HIGH + 1
        for old, new in ((requests, self.requests), (replies, self.replies)):
            os.dup2(old, new)
            os.set_inheritable(new, False)
            os.close(old)
        self.buffer = bytearray(ROOM)
        self.command = self.reserve = None
        self.roots = roots()
        self.watched = [sys.executable, *[name for name in sys.path if name.endswith("-packages")]]
        self.stamp = [stamp(name) for name in self.watched]
        self.path = list(sys.path)
        self.reseed = []
        self.plain_exit = True
        self.c_flush = self.c_exit = None
        self.library, self.fork, self.wait = None, os.fork, wait
        if ctypes is not None:
            library = self.library = ctypes.PyDLL(
                None, use_errno=True
            )  # keeps the lock of the interpreter, so that no other thread goes on
            self.c_flush, self.c_exit = library.fflush, library.exit
            self.c_flush.argtypes = [ctypes.c_void_p]
            self.wait = plain_wait(library, __file__ + ".ending")
        for name in set(sys.modules) - MODULES:
            del sys.modules[name]
        self.loaded = set(sys.modules)

    # Messages

    def send(self, text):
        """Send one message."""
        data = text.encode("utf-8", "surrogateescape")
        data = len(data).to_bytes(4, "big") + data
        while data:
            data = data[os.write(self.replies, data) :]

    def receive(self):
        """Read the next message into the buffer; end the process where there is none, since the launcher is gone."""
        size, end = 4, 0
        while end < size:
            with memoryview(self.buffer)[end:] as place:
                read = os.readv(self.requests, [place])
            if not read:
                os._exit(0)
            end += read
            if end >= 4:
                size = 4 + int.from_bytes(self.buffer[:4], "big")
                if size > len(self.buffer):
                    self.buffer.extend(bytes(size - len(self.buffer)))
        return self.buffer[4]

    def message(self):
        """Return the fields of the message in the buffer."""
        with memoryview(self.buffer) as whole:
            return bytes(whole[5 : 4 + int.from_bytes(whole[:4], "big")]).split(b"\0")

    def serve(self):
        """Do what is asked for ever; in a forked child return its task."""
        while True:
            kind = self.receive()
            if kind == ord("w"):
                self.send(self.warm([os.fsdecode(field) for field in self.message()]))
                continue
            try:
                if kind == ord("s"):
                    self.command = Command(self, *self.message())
                    self.send("o")
                    continue
                task = Task(self, self.command, learns=kind == ord("l"))
                pid = self.fork()
                if pid == 0:
                    return task
                if pid < 0:
                    raise OSError("cannot fork")
            except Unsuitable as error:
                self.send("c%s" % error)
                continue
            except Exception as error:
                self.send("c%s: %s" % (type(error).__name__, error))
                continue
            ended = self.wait(pid)
            if kind == ord("l"):
                self._send_modules()
            self.send("e%d %r %r %d" % ended)

    def _send_modules(self):
        try:
            with open(__file__ + ".modules", encoding="utf-8") as stream:
                modules = stream.read()
            os.unlink(__file__ + ".modules")
        except OSError:
            return  # the task has left in a way of its own
        self.send("m" + modules)

    # Warming

    def warm(self, fields):
        """Import modules, checking after each; return the reply."""
        folder, names = fields[0], [name for name in fields[1:] if name]
        if HAS_FOLDER:
            sys.path[0] = folder  # files there may hide installed modules, as they do from the script
        output = os.open(__file__ + ".out", os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        os.unlink(__file__ + ".out")
        streams = [os.dup(1), os.dup(2)]
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            self.reserve = reserved(len(names) * MODULE)
            failed, trouble = self._import(names, output)
            trouble = trouble or (self._foreign(names) if names else None)
            if not trouble:
                rehearse()
        finally:
            os.dup2(streams[0], 1)
            os.dup2(streams[1], 2)
            for descriptor in (*streams, output):
                os.close(descriptor)
        if trouble:
            return trouble
        self._settle()
        return "o" + "\0".join("\n".join(texts) for texts in (failed, self.watched, self.stamp))

    def _import(self, names, output):
        """Import modules; return those that failed, and the reply if the process must not be forked after one of them."""
        failed = []
        before = set(os.listdir("/proc/self/fd"))
        for name in names:
            if name in sys.modules:
                continue
            try:
                __import__(name)
            except BaseException:
                failed.append(name)
            trouble = self._trouble(output, before)
            if trouble:
                return failed, "b%s\n%s" % (name, trouble)
        return failed, None

    def _trouble(self, output, before):
        """Return why a process in this state must not be forked, or None."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        if os.lseek(output, 0, os.SEEK_END):
            return "prints when it is imported"
        if has_threads() and not end_at_fork():
            return "starts a thread when it is imported"
        if has_children():
            return "starts a process when it is imported"
        for number in set(os.listdir("/proc/self/fd")) - before:
            try:
                target = os.readlink("/proc/self/fd/" + number)
            except OSError:
                continue
            if target.startswith("socket:"):
                return "opens a socket when it is imported"
            if target.startswith(GPUS):
                return "opens a GPU when it is imported"
        return None

    def _foreign(self, names):
        """Return what must not be in the process though no check of a single import finds it, or None."""
        with open("/proc/self/maps") as stream:
            maps = stream.read()
        for library in MPI:
            if library in maps:
                owners = [name for name in names if "mpi" in name.lower()] or ["a module"]
                return "b%s\nloads an MPI library when it is imported" % owners[0]
        for name, module in list(sys.modules.items()):
            path = getattr(module, "__file__", None)
            if name in self.loaded or name in names or name == "__mp_main__" or not isinstance(path, str):
                continue
            if not path.startswith(self.roots):
                return "b%s\nis a file of the study that an installed module imports" % name
        return None

    def _settle(self):
        """Prepare what a child would have to do: each page that a child writes to must be copied for it."""
        self.plain_exit = plain_exit(set(sys.modules) - self.loaded, self.roots)
        self.loaded = set(sys.modules)
        self.path = list(sys.path)
        gc.collect()
        self.fork, hooks = plain_fork(self.library)
        self.reseed = hooks + reseeders()
        if hasattr(gc, "freeze"):  # Python 3.7
            gc.freeze()  # novermin
        use_huge_pages(self.library)


class Command(object):
    """A script or a module, and what all children that run it can share, made before the forks."""

    def __init__(self, server, kind, name, folder):
        os.chdir(folder)  # it may be another folder of the same name
        self.is_script, self.name = kind == b"script", os.fsdecode(name)
        self.shown = self.code = self.text = (
            None  # no code where a child must compile it, since that prints warnings
        )
        if self.is_script:
            self.shown = os.path.join(os.getcwd(), self.name) if sys.version_info >= (3, 9) else self.name
            with open(self.name, "rb") as stream:
                self.text = stream.read()
            if self.text[:2] == b"PK" or self.text[2:4] == b"\r\n":
                raise Unsuitable("the script is an archive or byte code; scripts of text start warm")
            self.code = self._compiled(self.text, self.shown)
            folder = os.path.dirname(os.path.realpath(self.name))
        else:
            self.runpy = sys.modules["runpy"]
            folder = os.getcwd() if sys.version_info >= (3, 7) else ""
        sys.path[:] = server.path
        if HAS_FOLDER:
            sys.path[0] = folder
        for place, finder in list(sys.path_importer_cache.items()):
            if finder is None and not place.startswith(server.roots):
                del sys.path_importer_cache[place]  # a folder that was not there may be by now
        self.main = fresh_main(self.shown)

    def _compiled(self, text, shown):
        reader, writer = os.pipe()
        stderr = os.dup(2)
        os.set_blocking(writer, False)
        os.dup2(writer, 2)
        try:
            code = compile(text, shown, "exec", 0, True)
        finally:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            os.close(writer)
            printed = os.read(reader, 1)
            os.close(reader)
        return None if printed else code


class Task(object):
    """What a child runs; made before the fork, since the server's writes need no copies of pages."""

    def __init__(self, server, command, learns):
        self.server, self.command, self.learns = server, command, learns
        fields = server.message()
        os.chdir(fields[0])
        count, interpreter = int(fields[1]), int(fields[2])
        argv = [word.decode(*FILE_NAMES) for word in fields[3 : 3 + count]]
        sys.argv = argv[interpreter:] if command.is_script else ["-m"] + argv[interpreter + 2 :]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv[1:] = argv[1:]  # novermin
        set_variables(fields[4 + count :], everything=fields[3 + count] == b"all")

    def begin(self):
        """Do in the child what only it can do; return what to call, and with what, in a list."""
        os.setsid()
        os.write(self.server.replies, STARTED % os.getpid())
        os.close(self.server.requests)
        os.close(self.server.replies)
        for reseed in self.server.reseed:
            reseed()
        command, self.command = self.command, None
        self.server.command = None
        sys.modules["__main__"] = command.main
        if "__mp_main__" in sys.modules:  # multiprocessing's other name for it
            sys.modules["__mp_main__"] = command.main
        if not command.is_script:
            return command.runpy._run_module_as_main, [(command.name,)]
        code = command.code
        if code is None:
            code = compile(command.text, command.shown, "exec", 0, True)
        return exec, [(code, command.main.__dict__)]

    def end(self, errors):
        """End the process as the interpreter would; return (status, interrupted) where it must do that itself."""
        status, interrupted = 0, False
        error = errors.pop()
        if error is not None:
            status = report(error)
            interrupted = type(error) is KeyboardInterrupt and status == 1
            interrupted = interrupted and sys.version_info >= (3, 8)
        error = None
        usual = run_exit_functions() and flush() and not _thread._count()
        if self.learns:
            self._report_modules()
        asked = sys.warnoptions or getattr(sys.flags, "dev_mode", False)  # to be told what is left open
        if not usual or asked or not 0 <= status <= 0xFF or self.server.c_flush is None:
            return status, interrupted
        new = self._new_modules()
        plain = self.server.plain_exit and plain_exit(new, self.server.roots)
        left = flush_files()
        if left is WARNS:
            return status, interrupted
        if left is not NOTHING or not plain:
            tear_down(new)
            if not flush():
                return status, interrupted
        if interrupted:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
            os.kill(os.getpid(), _signal.SIGINT)
        if plain:
            self.server.c_flush(None)
            os._exit(status & 0xFF)
        self.server.c_exit(status)
        return None

    def _new_modules(self):
        """Return what has been loaded since the fork. To look at a name writes to its page, so not all are looked at."""
        modules, loaded = sys.modules, self.server.loaded
        if len(modules) == len(loaded):
            return []
        if sys.version_info < (3, 8):
            return [name for name in modules if name not in loaded]
        found = []
        for name in reversed(modules):
            if name in loaded:
                break
            found.append(name)
        return found[::-1]

    def _report_modules(self):
        places = self.server.roots
        names = [name for name, module in list(sys.modules.items()) if is_installed(name, module, places)]
        with open(__file__ + ".modules", "w", encoding="utf-8") as stream:
            stream.write("\n".join(names))


def set_variables(fields, everything):
    """Set variables, both Python's and the C library's; where they are all of the task, in the order given."""
    variables = {}
    for field in fields:
        name, _, value = field.partition(b"=")
        variables[name] = value
    known = os.environ._data
    if everything:
        for name in list(known):
            os.unsetenv(name)
        known.clear()
    for name, value in variables.items():
        os.putenv(name, value)
        known[name] = value


def fresh_main(path):
    """Return a module `__main__` as it is before a script (or, without path, before `-m`) has begun."""
    main = type(sys)("__main__")
    space = main.__dict__
    space.clear()
    for name in FRESH:
        space[name] = None
    space["__name__"] = "__main__"
    space["__builtins__"] = sys.modules["builtins"]
    if "__annotations__" in space:
        space["__annotations__"] = {}
    if path is None:
        space["__loader__"] = (
            type(space["__builtins__"].__spec__.loader) and space["__builtins__"].__spec__.loader
        )
        for name in ("__file__", "__cached__"):
            space.pop(name, None)
    else:
        space["__file__"] = path
        space["__loader__"] = type(__loader__)("__main__", path)
    return main


# The end of a task: what Py_RunMain and Py_FinalizeEx do (pylifecycle.c, pythonrun.c), as far as it can be seen.


def report(error):
    """Print an exception that nothing has caught, or a reason to exit; return the exit status."""
    if isinstance(error, SystemExit):
        return exit_status(error)
    trace = error.__traceback__.tb_next  # without this file
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error  # novermin
    second = None
    try:
        sys.excepthook(type(error), error, trace)
    except BaseException as other:
        second = other
    if isinstance(second, SystemExit):
        return exit_status(second)
    if second is not None:
        second.__traceback__ = second.__traceback__.tb_next
        sys.stderr.write("Error in sys.excepthook:\n")
        sys.__excepthook__(type(second), second, second.__traceback__)
        sys.stderr.write("\nOriginal exception was:\n")
        sys.__excepthook__(type(error), error, trace)
    return 1


def exit_status(error):
    """Return the status of SystemExit; print what is not a number (handle_system_exit)."""
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        # A number beyond a C long is left to the interpreter, which complains about it since Python 3.13.
        return int(code) & 0xFF if -(2**63) <= code < 2**63 else int(code)
    if sys.stderr is not None:
        try:
            sys.stderr.write(str(code))
        except Exception:
            pass
        sys.stderr.write("\n")
    else:
        os.write(2, (str(code) + "\n").encode("utf-8", "backslashreplace"))
    return 1


def run_exit_functions():
    """Wait for threads and call what was registered; tell whether that went as usual."""
    threading = sys.modules.get("threading")
    try:
        if threading is not None:
            threading._shutdown()
            if sys.version_info < (3, 8):  # the interpreter's own end would do it once more, which fails
                threading._shutdown = int
    except BaseException:
        return False
    try:
        # Before Python 3.10 each import of the module has a list of its own, and ours is not the task's.
        sys.modules.get("atexit", atexit)._run_exitfuncs()  # it prints errors itself
    except BaseException:
        pass
    return True


def flush():
    """Flush the standard streams; tell whether that succeeded."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not getattr(stream, "closed", False):
                stream.flush()
    except BaseException:
        return False
    return True


def tear_down(names):
    """Destroy what the task has made, so that its files are written and its `__del__` methods are called."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            setattr(sys, name, None)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is not getattr(sys, "__%s__" % name):
            setattr(sys, name, getattr(sys, "__%s__" % name))
    modules = sys.modules
    modules["io"] = (
        None  # then a traceback has no source lines, as then (_Py_DisplaySourceLine in traceback.c)
    )
    modules.pop("__main__", None)
    for name in reversed(names):
        modules.pop(name, None)
    gc.collect()


NOTHING, SOMETHING, WARNS = "nothing", "something", "warns"


def flush_files():
    """Write what open files hold; return whether what the task has made must be destroyed for others to see it.

    WARNS: there may be a warning when it is destroyed, which only the interpreter itself gives in the right way.
    """
    for action, message, kind, module, _ in _warnings.filters:
        if issubclass(ResourceWarning, kind):
            if action != "ignore":
                return WARNS
            if message is None and module is None:
                break
    left = NOTHING
    for thing in gc.get_objects():
        kind = type(thing)
        if kind in HARMLESS:
            continue
        if kind is type:
            if "__del__" in thing.__dict__:
                left = SOMETHING
        elif kind in FILES:
            left = SOMETHING
            try:
                thing.flush()
            except Exception:
                pass  # it is closed, or its disk is full
        elif kind is COROUTINE:
            return WARNS
        elif hasattr(kind, "__del__"):
            left = SOMETHING
    return left


def _coroutine():
    async def nothing():
        pass

    made = nothing()
    made.close()
    return type(made)


COROUTINE = _coroutine()
HARMLESS = frozenset(
    [dict, list, tuple, set, frozenset, property, classmethod, staticmethod]
    + [type(roots), type(os.getpid), type(sys), type(sys._getframe()), type(roots.__code__), type("".join)]
)
FILES = type(sys.__stdout__), type(getattr(sys.__stdout__, "buffer", None))

if __name__ == "__main__":
    _task = Server(int(sys.argv[1]), int(sys.argv[2])).serve()
    _call, _arguments = _task.begin()
    _error = None
    try:
        _call(*_arguments.pop())
    except BaseException as _caught:
        _error = _caught
    _errors, _error = [_error], None  # it holds all frames, and must be gone when they are torn down
    _status, _interrupted = _task.end(_errors)
    # The interpreter itself does the rest, at the cost of destroying all that it has loaded.
    if _interrupted:
        sys.excepthook = lambda *_: None
        raise KeyboardInterrupt
    sys.exit(_status)
