"""Varied small scripts, each with what must come of it: `warm` (no difference), or `off` (a difference that is found).

They are made from families: each stands for one thing that a script may do or ask, in several forms.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

Case = dict[str, Any]


def case(name: str, text: str, *arguments: str, expect: str = "warm", **more: Any) -> Case:
    """Return a case that runs one script, or `argv` of its own, beside other files."""
    files = {"x.py": textwrap.dedent(text).lstrip("\n"), **more.pop("files", {})}
    return {
        "name": name,
        "argv": more.pop("argv", ["PYTHON", *more.pop("flags", []), "x.py", *arguments]),
        "files": {path: textwrap.dedent(content).lstrip("\n") for path, content in files.items()},
        "needs": more.pop("needs", []),
        "since": more.pop("since", (3, 6)),
        "expect": expect,
        "quick": more.pop("quick", False),
        "env": more.pop("env", {}),
    }


def all_cases() -> list[Case]:
    """Return every case; names are unique."""
    cases = [one for family in FAMILIES for one in family()]
    names = [one["name"] for one in cases]
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    return cases


# What a script may ask about its start

ASKS = {
    "argv": "sys.argv",
    "orig_argv": "getattr(sys, 'orig_argv', None)",
    "path": "[p for p in sys.path]",
    "flags": "sys.flags",
    "executable": "sys.executable",
    "prefix": "(sys.prefix, sys.base_prefix, sys.exec_prefix)",
    "warnoptions": "sys.warnoptions",
    "xoptions": "sys._xoptions",
    "version": "sys.version",
    "streams": "[(s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.closed) for s in (sys.stdin, sys.stdout, sys.stderr)]",
    "same streams": "[sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, sys.stdin is sys.__stdin__]",
    "hooks": "(sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__)",
    "recursion limit": "sys.getrecursionlimit()",
    "switch interval": "sys.getswitchinterval()",
    "meta path": "[getattr(m, '__name__', str(m)) for m in sys.meta_path]",
    "path hooks": "len(sys.path_hooks)",
    "encoding": "(sys.getdefaultencoding(), sys.getfilesystemencoding())",
    "name": "__name__",
    "file": "__file__",
    "spec": "__spec__",
    "package": "__package__",
    "doc": "__doc__",
    "loader": "(type(__loader__).__name__, __loader__.name, __loader__.path)",
    "builtins": "__builtins__",
    "cached": "globals().get('__cached__', 'none')",
    "annotations": "globals().get('__annotations__', 'none')",
    "globals": "list(globals())",
    "vars of main": "sorted(vars(sys.modules['__main__']))",
    "main is us": "sys.modules['__main__'].__dict__ is globals()",
    "repr of main": "sys.modules['__main__']",
    "environ": "dict(os.environ)",
    "environ order": "list(os.environ)",
    "environ bytes": "sorted(os.environb)",
    "cwd": "os.getcwd()",
    "umask": "os.umask(0o22)",
    "group is pid": "(os.getpgid(0) == os.getpid(), os.getsid(0) == os.getpid())",
    "nice": "os.nice(0)",
    "affinity": "os.sched_getaffinity(0)",
    "limits": "__import__('resource').getrlimit(__import__('resource').RLIMIT_NOFILE)",
    "oom": "open('/proc/self/oom_score_adj').read()",
    "descriptors": "sorted(os.listdir('/proc/self/fd'))",
    "signals": "[__import__('signal').getsignal(n) for n in (2, 13, 15, 10, 17, 25)]",
    "mask": "__import__('signal').pthread_sigmask(0, [])",
    "blocked": "[r for r in open('/proc/self/status') if r.startswith(('SigIgn', 'SigBlk', 'SigCgt'))]",
    "threads": "__import__('threading').enumerate()[0].name",
    "thread count": "__import__('threading').active_count()",
    "filters": "[f[0] for f in __import__('warnings').filters]",
    "gc": "(__import__('gc').isenabled(), __import__('gc').get_threshold(), __import__('gc').garbage)",
    "locale": "__import__('locale').setlocale(0)",
    "time zone": "__import__('time').tzname",
    "process time": "__import__('time').process_time() < 5",
    "children": "__import__('resource').getrusage(__import__('resource').RUSAGE_CHILDREN).ru_utime",
    "first file": "open('x.py').fileno()",
    "tty": "[os.isatty(n) for n in (0, 1, 2)]",
    "modules sorted": "sorted(sys.modules)",
    "modules": "list(sys.modules)",
    "hash of numbers": "(hash(1), hash(1.5), hash((1, 2)))",
    "frame": "sys._getframe().f_code.co_filename",
    "depth": "[f.f_code.co_name for f in iter_frames()]",
    "argv types": "[type(a).__name__ for a in sys.argv]",
    "trace": "(sys.gettrace(), sys.getprofile())",
    "exc_info": "sys.exc_info()",
    "optimised": "__debug__",
    "int": "getattr(sys, 'get_int_max_str_digits', int)()",
    "temporary folder": "__import__('tempfile').gettempdir()",
    "current process": "__import__('multiprocessing').current_process()",
    "parent process": "getattr(__import__('multiprocessing'), 'parent_process', int)()",
    "start method": "__import__('multiprocessing').get_start_method()",
    "loggers": "list(__import__('logging').root.manager.loggerDict)",
    "logging handlers": "__import__('logging').root.handlers",
    "platform": "__import__('platform').python_version()",
    "sysconfig": "__import__('sysconfig').get_paths()",
    "site": "__import__('site').getsitepackages()",
    "decimal": "__import__('decimal').getcontext()",
    "codec": "__import__('codecs').lookup('utf-8').name",
    "inspect": "__import__('inspect').getsourcefile(sys.modules['__main__'])",
    "source": "__import__('inspect').getsource(iter_frames)",
    "linecache": "__import__('linecache').getline(__file__, 1)",
    "importlib": "__import__('importlib.util').util.find_spec('json').name",
    "resources": "__import__('pkgutil').get_data('json', '__init__.py')[:20]",
    "user": "__import__('getpass').getuser()",
    "asyncio": "__import__('asyncio').new_event_loop().is_running()",
    "contextvars": "list(__import__('contextvars').copy_context())",
}
OFF = {
    # The order of what is loaded is that of the server's start where a script loads after its first line, and frames
    # of the server stand below the script's.
    "depth": "off",
}


def asks() -> Iterator[Case]:
    for name, expression in ASKS.items():
        text = f"""
            import os, sys
            def iter_frames():
                frame = sys._getframe()
                while frame:
                    yield frame
                    frame = frame.f_back
            print({expression})
        """
        yield case(
            f"asks {name}",
            text,
            "a",
            "b c",
            expect=OFF.get(name, "warm"),
            quick=name in ("argv", "environ", "path", "flags", "globals"),
        )
    for name in (
        "argv",
        "path",
        "file",
        "globals",
        "package",
        "spec",
        "flags",
        "modules sorted",
        "loader",
        "vars of main",
    ):
        expression = ASKS[name]
        text = f"import os, sys\nprint({expression})\n"
        yield case(f"asks {name} by -m", "", argv=["PYTHON", "-m", "pkg.tool", "a"], quick=name == "spec",
                   files={"pkg/__init__.py": "", "pkg/tool.py": text})  # fmt: skip
        yield case(f"asks {name} below", "", argv=["PYTHON", "sub/y.py", "a"], files={"sub/y.py": text})
        yield case(f"asks {name} absolute", "", argv=["PYTHON", "WORK/x.py"], files={"x.py": text})
        yield case(f"asks {name} optimised", text, flags=["-O"])


# How a script may end

ENDS = {
    "nothing": "",
    "zero": "import sys; sys.exit(0)",
    "three": "import sys; sys.exit(3)",
    "none": "import sys; sys.exit(None)",
    "text": "import sys; sys.exit('it failed: é')",
    "true": "import sys; sys.exit(True)",
    "large": "import sys; sys.exit(1000)",
    "negative": "import sys; sys.exit(-1)",
    "huge": "import sys; sys.exit(2 ** 70)",
    "tuple": "import sys; sys.exit((1, 'x'))",
    "float": "import sys; sys.exit(2.5)",
    "quit": "quit(4)",
    "exit": "exit()",
    "raise": "raise SystemExit(5)",
    "_exit": "import os; print('lost'); os._exit(6)",
    "abort": "import os; os.abort()",
    "kill": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "term": "import os, signal; os.kill(os.getpid(), signal.SIGTERM)",
    "usr1": "import os, signal; os.kill(os.getpid(), signal.SIGUSR1)",
    "int": "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)",
    "keyboard": "raise KeyboardInterrupt('x')",
    "pipe": "import os, signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL); os.kill(os.getpid(), signal.SIGPIPE)",
    "alarm": "import signal, time; signal.alarm(1); time.sleep(5)",
    "segfault": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "error": "1 / 0",
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('no') from e",
    "during": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    {}['x']",
    "deep": "def f(n):\n    if n: f(n - 1)\n    else: raise RuntimeError('deep')\nf(20)",
    "recursion": "import sys\nsys.setrecursionlimit(200)\ndef f(): f()\ntry:\n    f()\nexcept RecursionError as e:\n    sys.exit(str(e)[:30])",
    "assertion": "assert 1 == 2, 'no'",
    "syntax": "def (",
    "indent": "if True:\nx = 1",
    "encoding": "# -*- coding: latin-1 -*-\nprint('ok')",
    "bad encoding": "# -*- coding: nowhere -*-\nprint('ok')",
    "import error": "import not_there_at_all",
    "from error": "from os import not_there_at_all",
    "group": "import sys\nif sys.version_info >= (3, 11): raise ExceptionGroup('g', [ValueError(1), KeyError('k')])\nraise ValueError(1)",
    "note": "e = ValueError('x')\nif hasattr(e, 'add_note'): e.add_note('a note')\nraise e",
    "own class": "class E(Exception):\n    def __str__(self): return 'mine'\nraise E()",
    "bad str": "class E(Exception):\n    def __str__(self): raise TypeError\nraise E()",
    "hook": "import sys\nsys.excepthook = lambda k, e, t: print('hook', k.__name__, e, t.tb_lineno, sys.exc_info())\n1 / 0",
    "bad hook": "import sys\ndef hook(*a): raise KeyError('in hook')\nsys.excepthook = hook\n1 / 0",
    "hook exits": "import sys\ndef hook(*a): sys.exit(9)\nsys.excepthook = hook\n1 / 0",
    "traceback": "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()",
    "format": "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError as e:\n    print(traceback.format_exc(), e.__traceback__.tb_next)",
    "exit in try": "import sys\ntry:\n    sys.exit(7)\nfinally:\n    print('finally')",
    "exit in thread": "import sys, threading\nt = threading.Thread(target=lambda: sys.exit(3)); t.start(); t.join()",
    "error in thread": "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='T'); t.start(); t.join()",
    "generator": "def g():\n    try:\n        yield 1\n    finally:\n        print('closed')\nx = g(); next(x)",
    "stdout closed": "import sys; print('x'); sys.stdout.close()",
    "stderr none": "import sys; sys.stderr = None; sys.exit('text')",
    "stdout none": "import sys; sys.stdout = None; print('x')",
    "stdout replaced": "import sys; sys.stdout = open('log.txt', 'w'); print('in the file')",
    "descriptor closed": "import os; print('x'); os.close(1)",
    "atexit": "import atexit; atexit.register(print, 'bye'); print('hello')",
    "atexit order": "import atexit\nfor i in range(3): atexit.register(print, i)",
    "atexit error": "import atexit\natexit.register(lambda: 1 / 0); atexit.register(print, 'first')",
    "atexit exit": "import atexit, sys\natexit.register(lambda: sys.exit(5))",
    "atexit after error": "import atexit\natexit.register(print, 'bye')\n1 / 0",
    "atexit after exit": "import atexit, sys\natexit.register(print, 'bye')\nsys.exit(8)",
    "atexit thread": "import atexit, threading, time\natexit.register(print, 'last')\nthreading.Thread(target=lambda: (time.sleep(.1), print('thread'))).start()",
    "daemon": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\nprint('ends')",
    "del": "class A:\n    def __del__(self): print('del')\na = A()",
    "del cycle": "class A:\n    def __del__(self): print('del')\na = A(); a.a = a",
    "del order": "class A:\n    def __init__(self, n): self.n = n\n    def __del__(self): print(self.n)\nb = A('b'); a = A('a')",
    "del error": "class A:\n    def __del__(self): 1 / 0\na = A()",
    "del after error": "class A:\n    def __del__(self): print('del')\na = A()\n1 / 0",
    "del local": "class A:\n    def __del__(self): print('del')\ndef f():\n    a = A()\n    raise ValueError\nf()",
    "weakref": "import weakref\nclass A: pass\na = A(); weakref.finalize(a, print, 'finalized')",
    "open file": "f = open('out.txt', 'w'); f.write('kept')",
    "open file in list": "fs = [open('out%d.txt' % i, 'w') for i in range(3)]\nfor f in fs: f.write('kept')",
    "open file in cycle": "class A: pass\na = A(); a.a = a; a.f = open('out.txt', 'w'); a.f.write('kept')",
    "open binary": "f = open('out.bin', 'wb'); f.write(b'kept')",
    "open gzip": "import gzip; f = gzip.GzipFile('out.gz', 'wb', mtime=0); f.write(b'kept')",
    "open csv": "import csv; w = csv.writer(open('out.csv', 'w')); w.writerow([1, 2])",
    "open in builtins": "import builtins; builtins.f = open('out.txt', 'w'); builtins.f.write('kept')",
    "open in json": "import json; json.f = open('out.txt', 'w'); json.f.write('kept')",
    "open after error": "f = open('out.txt', 'w'); f.write('kept'); 1 / 0",
    "no end of line": "print('x', end='')",
    "written": "import sys; sys.stdout.write('x\\n'); sys.stderr.write('y\\n')",
    "mixed": "import os, sys; print('a'); os.write(1, b'b\\n'); sys.stdout.flush(); os.write(1, b'c\\n')",
    "ctypes": "import ctypes; ctypes.CDLL(None).printf(b'from C\\n'); print('from Python')",
    "unraisable": "import sys\nsys.unraisablehook = lambda u: print('hook', u.exc_type.__name__)\nclass A:\n    def __del__(self): 1 / 0\na = A()",
    "exec": "import os, sys; sys.stdout.flush(); os.execv('/bin/echo', ['echo', 'replaced'])",
    "resource warning": "import warnings; warnings.simplefilter('always'); f = open('x.py')",
    "pending": "import asyncio\nasync def f(): await asyncio.sleep(0)\nx = f()",
}  # fmt: skip


ENDS_OFF = {
    # What is never said: the task leaves before it can report what it has loaded.
    "_exit": "off", "abort": "off", "kill": "off", "term": "off", "usr1": "off", "pipe": "off", "alarm": "off",
    "segfault": "off", "exec": "off",
    # What cannot be compiled starts cold.
    "syntax": "off", "indent": "off", "bad encoding": "off",
}  # fmt: skip


def ends() -> Iterator[Case]:
    for name, text in ENDS.items():
        quick = name in ("three", "text", "error", "atexit", "open file", "keyboard", "del", "hook")
        yield case(f"ends {name}", text, expect=ENDS_OFF.get(name, "warm"), quick=quick)
    for name in ("three", "error", "text", "atexit", "open file", "keyboard", "del", "chained", "int"):
        files = {"pkg/__init__.py": "", "pkg/__main__.py": ENDS[name]}
        yield case(f"ends {name} by -m", "", argv=["PYTHON", "-m", "pkg"], files=files, quick=name == "error")
        yield case(f"ends {name} unbuffered", ENDS[name], flags=["-u"])
    for name in ("error", "open file", "atexit", "del"):
        yield case(f"ends {name} in dev mode", ENDS[name], flags=["-X", "dev"], since=(3, 7))
        yield case(f"ends {name} with numpy", "import numpy\n" + ENDS[name], needs=["numpy"])


# What a script may use

USES = {
    "argparse": ("import argparse\np = argparse.ArgumentParser()\np.add_argument('n', type=int); p.add_argument('--m', default=2)\nprint(p.parse_args())", ["3", "--m", "4"]),
    "argparse error": ("import argparse\np = argparse.ArgumentParser()\np.add_argument('n', type=int)\np.parse_args()", ["x"]),
    "argparse help": ("import argparse\np = argparse.ArgumentParser(description='d')\np.parse_args()", ["--help"]),
    "argparse version": ("import argparse\np = argparse.ArgumentParser()\np.add_argument('--version', action='version', version='%(prog)s 1')\np.parse_args()", ["--version"]),
    "getopt": ("import getopt, sys\nprint(getopt.getopt(sys.argv[1:], 'ab:'))", ["-a", "-b", "1", "x"]),
    "optparse": ("import optparse\np = optparse.OptionParser(); p.add_option('-n')\nprint(p.parse_args())", ["-n", "1"]),
    "config json": ("import json\nprint(json.load(open('c.json')))", []),
    "config ini": ("import configparser\nc = configparser.ConfigParser(); c.read('c.ini'); print(dict(c['a']))", []),
    "config module": ("import settings\nprint(settings.N, settings.__file__, settings.__name__)", []),
    "own package": ("from lib import part\nprint(part.f(3), part.__package__)", []),
    "own hides json": ("import lib.json as j\nprint(j.X)", []),
    "stdin": ("import sys\nprint(repr(sys.stdin.read()))", []),
    "input": ("try:\n    input('? ')\nexcept EOFError:\n    print('end')", []),
    "fileinput": ("import fileinput\nprint(list(fileinput.input()))", []),
    "large output": ("for i in range(20000): print(i, 'x' * 50)", []),
    "large bytes": ("import sys\nsys.stdout.buffer.write(bytes(range(256)) * 4000)", []),
    "unicode output": ("print('λ é 漢字 😀')", []),
    "logging": ("import logging\nlogging.basicConfig(level='INFO')\nlogging.info('x'); logging.getLogger('a').warning('y')", []),
    "logging file": ("import logging\nlogging.basicConfig(filename='a.log', level='INFO', format='%(message)s')\nlogging.info('x')", []),
    "logging since": ("import logging, time\nlogging.basicConfig(format='%(relativeCreated)d')\nprint(time.time() - logging.LogRecord('', 0, '', 0, '', (), None).relativeCreated / 1000 > time.time() - 3)", []),
    "warning": ("import warnings\nwarnings.warn('careful')", []),
    "warning deprecated": ("import warnings\nwarnings.warn('old', DeprecationWarning)", []),
    "warning level 2": ("import warnings\nwarnings.warn('careful', stacklevel=2)", []),
    "warning level 5": ("import warnings\ndef f(): warnings.warn('careful', stacklevel=5)\nf()", []),
    "warning error": ("import warnings\nwarnings.simplefilter('error')\nwarnings.warn('careful')", []),
    "warning twice": ("import warnings\nfor i in range(3): warnings.warn('careful')", []),
    "warning syntax": ("x = '\\d'\nprint(x)", []),
    "warning is": ("print(1 is 1)", []),
    "seeded": ("import random\nrandom.seed(3); print(random.random())", []),
    "seeded object": ("import random\nprint(random.Random(5).gauss(0, 1))", []),
    "unseeded": ("import random\nprint(random.random(), random.getrandbits(64))", []),
    "shuffle": ("import random\nx = list(range(100)); random.shuffle(x); print(x)", []),
    "secrets": ("import secrets\nprint(secrets.token_hex())", []),
    "uuid": ("import uuid\nprint(uuid.uuid4(), uuid.uuid1())", []),
    "urandom": ("import os\nprint(os.urandom(8).hex())", []),
    "temporary": ("import tempfile\nwith tempfile.NamedTemporaryFile() as f: print(f.name)\nwith tempfile.TemporaryDirectory() as d: print(d)", []),
    "temporary kept": ("import tempfile\nd = tempfile.TemporaryDirectory(); print(len(d.name) > 3)", []),
    "pid": ("import os\nprint(os.getpid())", []),
    "time": ("import time\nprint(time.time(), time.perf_counter())", []),
    "clock": ("import datetime\nprint(datetime.datetime.now().strftime('%H:%M:%S'))", []),
    "threads": ("import threading\nr = []\nts = [threading.Thread(target=r.append, args=(i,)) for i in range(5)]\n[t.start() for t in ts]; [t.join() for t in ts]; print(sorted(r), threading.main_thread() is threading.current_thread())", []),
    "thread names": ("import threading\nt = threading.Thread(target=lambda: print(threading.current_thread().name)); t.start(); t.join()", []),
    "thread local": ("import threading\nx = threading.local(); x.a = 1; print(x.a)", []),
    "thread native id": ("import os, threading\nprint(getattr(threading, 'get_native_id', os.getpid)() == os.getpid())", []),
    "thread pool": ("from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(3) as p: print(list(p.map(abs, range(-4, 0))))", []),
    "thread pool left": ("from concurrent.futures import ThreadPoolExecutor\np = ThreadPoolExecutor(1); p.submit(print, 'done')", []),
    "process pool": ("from concurrent.futures import ProcessPoolExecutor\nif __name__ == '__main__':\n    with ProcessPoolExecutor(2) as p: print(list(p.map(abs, range(-4, 0))))", []),
    "queue": ("import queue, threading\nq = queue.Queue()\nthreading.Thread(target=q.put, args=(1,)).start(); print(q.get(timeout=9))", []),
    "asyncio": ("import asyncio\nasync def f(): await asyncio.sleep(.01); return 4\nprint(asyncio.get_event_loop_policy().__class__.__name__ if 0 else asyncio.new_event_loop().run_until_complete(f()))", []),
    "asyncio process": ("import asyncio, sys\nasync def f():\n    p = await asyncio.create_subprocess_exec('echo', 'hi', stdout=-1)\n    return (await p.communicate())[0]\nif sys.version_info >= (3, 8): print(asyncio.run(f()))", []),
    "fork": ("import os, sys\nsys.stdout.flush()\npid = os.fork()\nif pid == 0:\n    print('child', flush=True); os._exit(3)\nprint(os.waitpid(pid, 0)[1])", []),
    "fork exits": ("import os, sys\npid = os.fork()\nif pid == 0: sys.exit(3)\nprint(os.waitpid(pid, 0)[1])", []),
    "fork both end": ("import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint('both', pid > 0)", []),
    "wait for all": ("import os\nfor i in range(3):\n    if os.fork() == 0: os._exit(i)\nn = 0\nwhile True:\n    try: os.wait(); n += 1\n    except ChildProcessError: break\nprint(n)", []),
    "orphan": ("import subprocess\nsubprocess.Popen(['sleep', '100'])\nprint('left')", []),
    "spawned": ("import os\nprint(os.waitstatus_to_exitcode(os.system('exit 3')) if hasattr(os, 'waitstatus_to_exitcode') else os.system('exit 3'))", []),
    "subprocess": ("import subprocess\nprint(subprocess.run(['echo', 'hi'], stdout=subprocess.PIPE).stdout)", []),
    "subprocess inherits": ("import subprocess\nsubprocess.run(['echo', 'hi'])", []),
    "subprocess python": ("import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv, sys.prefix)'], stdout=-1).stdout)", []),
    "subprocess itself": ("import subprocess, sys\nif len(sys.argv) == 1: subprocess.run([sys.executable, __file__, 'again'])\nprint(sys.argv[1:])", []),
    "subprocess environment": ("import os, subprocess\nos.environ['NEW'] = '1'\nprint(subprocess.run(['env'], stdout=-1).stdout.decode())", []),
    "subprocess stdin": ("import subprocess\nprint(subprocess.run(['cat'], stdout=-1).stdout)", []),
    "popen": ("import os\nprint(os.popen('echo hi').read())", []),
    "putenv": ("import os\nos.environ['HOME'] = '/x'; print(os.path.expanduser('~')); del os.environ['HOME']", []),
    "chdir": ("import os\nos.mkdir('d'); os.chdir('d'); open('f', 'w').write('x'); print(os.getcwd())", []),
    "files": ("import os\nos.makedirs('a/b')\nfor i in range(5): open('a/b/%d.txt' % i, 'w').write(str(i))", []),
    "append": ("open('log.txt', 'a').write('line\\n'); print(open('log.txt').read())", []),
    "remove": ("import os\nos.remove('c.json')", []),
    "change": ("open('c.json', 'w').write('{}')", []),
    "random file": ("import random\nopen('r.txt', 'w').write(str(random.random()))", []),
    "pickle": ("import pickle\nclass A:\n    x = 1\nprint(pickle.loads(pickle.dumps(A())).x, pickle.dumps(A))", []),
    "copyreg": ("import copy\nclass A: pass\na = A(); a.x = [1]; print(copy.deepcopy(a).x)", []),
    "dataclass": ("import sys\nif sys.version_info >= (3, 7):\n    import dataclasses\n    @dataclasses.dataclass\n    class A:\n        x: int\n    print(A(1))", []),
    "typing": ("import typing\nclass A(typing.NamedTuple):\n    x: int\nx: int = 3\nprint(A(1), typing.get_type_hints(A), __annotations__ if hasattr(__import__('__main__'), '__annotations__') else '')", []),
    "enum": ("import enum\nclass E(enum.Enum):\n    A = 1\nprint(E.A, E.__module__)", []),
    "sqlite": ("import sqlite3\nc = sqlite3.connect('a.db'); c.execute('create table t (x)'); c.execute('insert into t values (1)'); c.commit(); print(c.execute('select * from t').fetchall())", []),
    "shelve": ("import dbm.dumb, shelve\ns = shelve.Shelf(dbm.dumb.open('s', 'c')); s['a'] = 1; s.close()", []),
    "socket": ("import socket\na, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))", []),
    "select": ("import os, select\nr, w = os.pipe(); os.write(w, b'x'); print(select.select([r], [], [], 1)[0] == [r], r, w)", []),
    "mmap": ("import mmap\nm = mmap.mmap(-1, 10); m[:2] = b'ab'; print(m[:3])", []),
    "ctypes": ("import ctypes\nprint(ctypes.CDLL(None).abs(-3), ctypes.sizeof(ctypes.c_long))\nclass S(ctypes.Structure):\n    _fields_ = [('a', ctypes.c_int)]\nprint(S(3).a)", []),
    "struct": ("import struct\nprint(struct.pack('>I', 5))", []),
    "decimal": ("import decimal\ndecimal.getcontext().prec = 5; print(decimal.Decimal(1) / 3)", []),
    "fractions": ("from fractions import Fraction\nprint(Fraction(1, 3) + 1)", []),
    "statistics": ("import statistics\nprint(statistics.stdev([1, 2, 4]))", []),
    "locale": ("import locale\nprint(locale.setlocale(locale.LC_ALL, ''), locale.getpreferredencoding())", []),
    "signal handler": ("import os, signal\nsignal.signal(signal.SIGUSR1, lambda *a: print('got', a[0]))\nos.kill(os.getpid(), signal.SIGUSR1)", []),
    "signal timer": ("import signal, time\nsignal.signal(signal.SIGALRM, lambda *a: print('alarm'))\nsignal.setitimer(signal.ITIMER_REAL, .05); time.sleep(.3)", []),
    "faulthandler": ("import faulthandler\nfaulthandler.enable(); print(faulthandler.is_enabled())", []),
    "exec eval": ("d = {}\nexec('x = 1', d); print(d['x'], eval('1 + 1'))", []),
    "runpy": ("import runpy\nrunpy.run_path('settings.py', run_name='__main__')", []),
    "import main": ("import __main__\nX = 3\nprint(__main__.X)", []),
    "reload": ("import importlib, settings\nimportlib.reload(settings); print(settings.N)", []),
    "reload json": ("import importlib, json\nprint(importlib.reload(json).dumps(1))", []),
    "new module": ("import sys\nopen('fresh.py', 'w').write('Y = 5')\nimport importlib; importlib.invalidate_caches()\nimport fresh; print(fresh.Y)", []),
    "path added": ("import sys\nsys.path.insert(0, 'lib')\nimport part; print(part.__name__)", []),
    "lazy": ("def f():\n    import json\n    return json.dumps([1])\nprint(f())", []),
    "late by argument": ("import sys\nif sys.argv[1] == '1':\n    import csv\nprint('csv' in sys.modules)", ["1"]),
    "loaded before": ("import sys\nprint('json' in sys.modules)\nimport json", []),
    "optional": ("try:\n    import not_there\nexcept ImportError as e:\n    print(e)", []),
    "monkeypatch": ("import json\njson.dumps = lambda x: 'patched'\nprint(json.dumps(1))", []),
    "set environment first": ("import os\nos.environ['PYTHONHASHSEED'] = '0'\nimport json\nprint(1)", []),
    "hash of text": ("print(hash('abc'))", []),
    "set of text": ("print(list({'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'}))", []),
    "id": ("print(id(object()) > 0)", []),
    "memory": ("import resource\nx = bytearray(30 << 20)\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 30000)", []),
    "profile": ("import cProfile\ncProfile.run('1 + 1') if 0 else print('x')", []),
    "trace": ("import sys\nn = []\ndef t(f, e, a): n.append(e); return t\nsys.settrace(t)\ndef f(): return 1\nf(); sys.settrace(None); print(n)", []),
    "compile": ("print(compile('1', 'a', 'eval').co_filename)", []),
    "gettext": ("import gettext\nprint(gettext.gettext('x'))", []),
    "string": ("import string, textwrap, re\nprint(re.sub('a', 'b', textwrap.dedent('  aa')), string.Template('$x').substitute(x=1))", []),
    "zip": ("import zipfile\nwith zipfile.ZipFile('a.zip', 'w') as z: z.writestr(zipfile.ZipInfo('x'), 'y')", []),
    "zlib": ("import zlib, bz2, lzma\nprint(zlib.crc32(b'a'), bz2.compress(b'a')[:3], lzma.compress(b'a')[:3])", []),
    "xml": ("import xml.etree.ElementTree as E\nprint(E.tostring(E.fromstring('<a b=\"1\"/>')))", []),
    "urllib": ("import urllib.parse, http.client, email.message\nprint(urllib.parse.quote('a b'))", []),
    "unittest": ("import sys, unittest\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\nunittest.main(argv=['x'], exit=False, verbosity=0) if 0 else print('t')", []),
    "doctest": ("'''\n>>> 1 + 1\n2\n'''\nimport doctest\nprint(doctest.testmod())", []),
    "timeit": ("import timeit\nprint(timeit.timeit('1', number=10) > 0)", []),
    "pprint": ("import pprint\npprint.pprint({'a': list(range(40))})", []),
    "heapq": ("import heapq, bisect, array, collections, itertools, functools, operator\nprint(heapq.nsmallest(2, [3, 1, 2]), array.array('d', [1.0]))", []),
    "glob": ("import glob\nprint(sorted(glob.glob('**', recursive=True)))", []),
    "shutil": ("import shutil\nshutil.copy('c.json', 'd.json'); print(shutil.which('sh'))", []),
    "pathlib": ("from pathlib import Path\nprint(Path(__file__).resolve(), Path.cwd(), Path('c.json').read_text())", []),
    "printed stack": ("import traceback\ntraceback.print_stack()", []),
    "stack": ("import inspect\nprint(len(inspect.stack()))", []),
    "user site": ("import site\nprint(site.ENABLE_USER_SITE, site.USER_BASE)", []),
    "gc objects": ("import gc\nprint(gc.collect() >= 0, gc.get_freeze_count() >= 0 if hasattr(gc, 'get_freeze_count') else True)", []),
    "future": ("from __future__ import annotations\nimport sys\nx: int = 1\nprint(x)", []),
    "closed stdin": ("import os, sys\nsys.stdin.close(); print(open('x.py').fileno())", []),
    "reconfigure": ("import sys\nif hasattr(sys.stdout, 'reconfigure'): sys.stdout.reconfigure(encoding='latin-1')\nprint('é')", []),
    "displayhook": ("import sys\nsys.displayhook(3)", []),
    "audit": ("import sys\nif hasattr(sys, 'addaudithook'):\n    n = []\n    sys.addaudithook(lambda e, a: n.append(e) if e == 'open' else None)\n    open('x.py').close()\n    print(n)", []),
}  # fmt: skip
USES_OFF = {
    "hash of text": "off", "set of text": "off",  # one seed of hashes for all forks of a process
    "loaded before": "off", "late by argument": "any", "printed stack": "off", "stack": "off",
    "future": "any", "typing": "any",
}  # fmt: skip
BESIDE = {
    "c.json": '{"a": [1, 2]}\n',
    "c.ini": "[a]\nx = 1\n",
    "settings.py": "N = 7\nif __name__ == '__main__':\n    print('settings run')\n",
    "lib/__init__.py": "",
    "lib/part.py": "def f(x):\n    return x + 1\n",
    "lib/json.py": "X = 2\n",
}


def uses() -> Iterator[Case]:
    quick = (
        "argparse",
        "unseeded",
        "process pool",
        "fork",
        "warning",
        "config module",
        "subprocess itself",
        "hash of text",
        "large output",
        "stdin",
    )
    for name, (text, arguments) in USES.items():
        since = {"future": (3, 7), "future annotations": (3, 7)}.get(name, (3, 6))
        yield case(
            f"uses {name}",
            text,
            *arguments,
            expect=USES_OFF.get(name, "warm"),
            files=dict(BESIDE),
            quick=name in quick,
            since=since,
        )


def processes() -> Iterator[Case]:
    for method in ("fork", "spawn", "forkserver"):
        head = "import multiprocessing as mp, os, sys\n"
        main = f"if __name__ == '__main__':\n    mp.set_start_method({method!r})\n"
        bodies = {
            "pool": head
            + "def f(x): return x * 2\n"
            + main
            + "    with mp.Pool(2) as p: print(p.map(f, range(5)))\n",
            "process": head
            + "def f(q): q.put((__name__, sys.argv, mp.current_process().name))\n"
            + main
            + "    q = mp.Queue(); p = mp.Process(target=f, args=(q,)); p.start(); print(q.get()); p.join(); print(p.exitcode)\n",
            "exit code": head
            + "def f(): sys.exit(4)\n"
            + main
            + "    p = mp.Process(target=f); p.start(); p.join(); print(p.exitcode)\n",
            "error": head
            + "def f(): raise ValueError('in child')\n"
            + main
            + "    p = mp.Process(target=f); p.start(); p.join(); print(p.exitcode)\n",
            "random": head
            + "import random\ndef f(q): q.put(random.random())\n"
            + main
            + "    q = mp.Queue(); p = mp.Process(target=f, args=(q,)); p.start(); print(q.get()); p.join()\n",
            "value": head
            + "def f(v): v.value = 3\n"
            + main
            + "    v = mp.Value('i', 0); p = mp.Process(target=f, args=(v,)); p.start(); p.join(); print(v.value)\n",
        }
        for name, text in bodies.items():
            yield case(f"processes {method} {name}", text, quick=name == "pool")
        files = {"pkg/__init__.py": "", "pkg/pool.py": bodies["pool"]}
        yield case(f"processes {method} by -m", "", argv=["PYTHON", "-m", "pkg.pool"], files=files)


def started() -> Iterator[Case]:
    """Ways to start a script: -m with relative imports, `#!` lines, links, other folders, options, variables."""
    package = {"pkg/__init__.py": "", "pkg/__main__.py": "from . import a\nfrom .b import c\nimport sys\nprint(a.X, c.Y, __name__, __package__, sys.argv)\n", "pkg/a.py": "X = 1\n", "pkg/b/__init__.py": "", "pkg/b/c.py": "from ..a import X\nY = X + 1\n"}  # fmt: skip
    yield case("started relative", "", argv=["PYTHON", "-m", "pkg", "q"], files=package, quick=True)
    yield case("started not a package", "", argv=["PYTHON", "-m", "pkg.a.no"], files=package)
    yield case("started not there", "", argv=["PYTHON", "not_there.py"], expect="off")
    yield case("started relative fails", "from . import a\n", files={"a.py": ""})
    yield case("started json.tool", "", argv=["PYTHON", "-m", "json.tool", "c.json"], files={"c.json": "[1]"})
    yield case("started timeit", "", argv=["PYTHON", "-m", "platform"])
    text = "import sys\nprint(sys.argv, sys.path, __file__, getattr(sys, 'orig_argv', 0))\n"
    yield case("started by line", "", argv=["./tool", "a"], files={"tool": "#!PYTHON\n" + text}, quick=True)
    yield case(
        "started by line with option", "", argv=["./tool", "a"], files={"tool": "#!PYTHON -u\n" + text}
    )
    yield case("started by shell", "", argv=["./tool"], files={"tool": "#!/bin/sh\necho hi\n"}, expect="off")
    yield case("started folder", "", argv=["PYTHON", "d"], files={"d/__main__.py": "print(1)"}, expect="off")
    yield case("started -c", "", argv=["PYTHON", "-c", "print(1)"], expect="off")
    yield case("started dash", "", argv=["PYTHON", "-"], expect="off")
    yield case("started -i", text, flags=["-i"], expect="off")
    yield case("started space", "", argv=["PYTHON", "a b.py", "c d", ""], files={"a b.py": text})
    yield case("started dotted", "", argv=["PYTHON", "./x.py"], files={"x.py": text})
    yield case("started up", "", argv=["PYTHON", "d/../x.py"], files={"x.py": text, "d/y": ""})
    yield case("started no suffix", "", argv=["PYTHON", "run"], files={"run": text})
    yield case("started crlf", "import sys\r\nprint(sys.argv)\r\n")
    yield case("started bom", "\ufeffprint(1)\n")
    for flags in (
        ["-u"],
        ["-O"],
        ["-OO"],
        ["-B"],
        ["-E"],
        ["-I"],
        ["-s"],
        ["-q"],
        ["-b"],
        ["-W", "error"],
        ["-Wignore"],
        ["-W", "always"],
        ["-X", "utf8"],
        ["-X", "faulthandler"],
        ["-uB"],
    ):
        more = "import os, warnings\nprint(sys.flags, sys.warnoptions, [f[0] for f in warnings.filters], sys.stdout.encoding)\nwarnings.warn('w', UserWarning)\n"
        since = (3, 7) if flags[-1] == "utf8" else (3, 6)
        yield case(f"started {' '.join(flags)}", text + more, flags=flags, since=since)
    for number, env in enumerate((
        {"PYTHONUNBUFFERED": "1"}, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONUTF8": "1"}, {"LC_ALL": "C"}, {"LC_ALL": "POSIX"},
        {"LC_ALL": "C.UTF-8"}, {"PYTHONHASHSEED": "0"}, {"PYTHONHASHSEED": "random"}, {"PYTHONWARNINGS": "error"},
        {"PYTHONWARNINGS": "ignore"}, {"PYTHONOPTIMIZE": "1"}, {"PYTHONDONTWRITEBYTECODE": "1"}, {"PYTHONNOUSERSITE": "1"},
        {"TZ": "Asia/Tokyo"}, {"HOME": "/nowhere"}, {"PYTHONPATH": "lib"}, {"A": "é\nλ"}, {"PYTHONSAFEPATH": "1"}, {"TMPDIR": None},
    )):  # fmt: skip
        more = "import os, time\nprint(os.environ, sys.flags, sys.stdout.encoding, sys.stderr.errors, time.tzname, hash('a') if sys.flags.hash_randomization == 0 else '')\n"
        yield case(f"started with {number} {' '.join(env)}", text + more, env=env)
    yield case(
        "started hash seed", "print(hash('abc'), {'a', 'b', 'c'})", env={"PYTHONHASHSEED": "5"}, quick=True
    )


LIBRARIES = {
    "numpy seeded": "import numpy as np\nnp.random.seed(3); print(np.random.normal(size=3))",
    "numpy unseeded": "import numpy as np\nprint(np.random.normal(size=3))",
    "numpy legacy integers": "import numpy as np\nprint(np.random.randint(0, 10 ** 9, 5))",
    "numpy generator": "import numpy as np\nprint(np.random.default_rng(4).normal(size=3))",
    "numpy generator unseeded": "import numpy as np\nprint(np.random.default_rng().normal(size=3))",
    "numpy state": "import numpy as np\ns = np.random.get_state(); print(s[0], s[2:], len(s[1]), s[1][5])",
    "numpy linear": "import numpy as np\na = np.arange(9.0).reshape(3, 3) + np.eye(3); print(np.linalg.inv(a), np.linalg.svd(a)[1])",
    "numpy large": "import numpy as np\na = np.random.default_rng(1).normal(size=(300, 300)); print((a @ a).sum(), np.fft.fft(a[0])[:2])",
    "numpy files": "import numpy as np\nnp.save('a.npy', np.arange(5)); np.savetxt('a.txt', np.arange(5)); np.savez('a.npz', x=np.arange(3)); print(np.load('a.npy'))",
    "numpy memmap": "import numpy as np\nm = np.memmap('m.dat', 'f8', 'w+', shape=(4,)); m[:] = 3",
    "numpy warning": "import numpy as np\nprint(np.array([1.0]) / 0)",
    "numpy errstate": "import numpy as np\nnp.seterr(all='raise')\nnp.array([1.0]) / 0",
    "numpy options": "import numpy as np\nnp.set_printoptions(precision=2); print(np.pi * np.ones(2), np.geterr())",
    "numpy threads set": "import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport numpy as np\nprint(np.ones(3).sum())",
    "numpy pool": "import multiprocessing as mp\nimport numpy as np\ndef f(i): return float(np.random.default_rng(i).normal())\nif __name__ == '__main__':\n    with mp.Pool(2) as p: print(p.map(f, range(3)))",
    "pandas": "import pandas as pd\nd = pd.DataFrame({'a': [1, 2, 2], 'b': [1.5, 2, 3]}); print(d.groupby('a').mean()); d.to_csv('d.csv')",
    "pandas read": "import io\nimport pandas as pd\nprint(pd.read_csv(io.StringIO('a,b\\n1,2\\n')).describe())",
    "pandas dates": "import pandas as pd\nprint(pd.date_range('2020-01-01', periods=3, tz='UTC'))",
    "pandas options": "import pandas as pd\npd.set_option('display.max_rows', 3); print(pd.Series(range(9)))",
    "pandas sample": "import pandas as pd\nprint(pd.Series(range(10 ** 6)).sample(5).tolist())",
    "pandas parquet": "import pandas as pd\npd.DataFrame({'a': [1]}).to_parquet('d.parquet'); print(pd.read_parquet('d.parquet'))",
    "pandas error": "import pandas as pd\npd.DataFrame({'a': [1]})['b']",
    "scipy stats": "from scipy import stats\nprint(stats.norm.cdf(1.96), stats.ttest_1samp([1, 2, 3.5], 1))",
    "scipy optimize": "from scipy.optimize import minimize\nprint(minimize(lambda x: (x[0] - 2) ** 2, [0]).x)",
    "scipy sparse": "import scipy.sparse as s\nprint(s.eye(3).toarray())",
    "scipy integrate": "from scipy.integrate import quad, solve_ivp\nprint(quad(lambda x: x, 0, 1), solve_ivp(lambda t, y: -y, (0, 1), [1]).y[0, -1])",
    "scipy unseeded": "from scipy import stats\nprint(stats.norm.rvs(size=3))",
    "scipy lazy": "import scipy\nprint(scipy.special.gamma(5))",
    "sklearn": "from sklearn.linear_model import LinearRegression\nprint(LinearRegression().fit([[0], [1], [3]], [0, 1, 3]).coef_)",
    "sklearn forest": "from sklearn.ensemble import RandomForestClassifier\nprint(RandomForestClassifier(5, random_state=0).fit([[0], [1], [2], [3]], [0, 0, 1, 1]).predict_proba([[1.5]]))",
    "sklearn unseeded": "from sklearn.utils import check_random_state\nprint(check_random_state(None).normal(size=3))",
    "sklearn jobs": "from sklearn.ensemble import RandomForestClassifier\nprint(RandomForestClassifier(5, random_state=0, n_jobs=2).fit([[0], [1], [2], [3]], [0, 0, 1, 1]).predict([[1.5]]))",
    "joblib": "from joblib import Parallel, delayed\nif __name__ == '__main__':\n    print(Parallel(2)(delayed(abs)(-i) for i in range(4)))",
    "polars": "import polars as pl\nprint(pl.DataFrame({'a': [1, 2, 2], 'b': [1.0, 2, 3]}).group_by('a', maintain_order=True).mean())",
    "polars file": "import polars as pl\npl.DataFrame({'a': [1]}).write_parquet('a.parquet'); print(pl.scan_parquet('a.parquet').collect())",
    "pyarrow": "import pyarrow as pa\nprint(pa.table({'a': [1, 2]}).to_pydict())",
    "click": "import click\n@click.command()\n@click.option('--n', type=int)\ndef f(n): click.echo(n)\nf()",
    "click error": "import click\n@click.command()\n@click.argument('n', type=int)\ndef f(n): click.echo(n)\nf()",
    "rich": "from rich import print\nprint({'a': [1, 2]})",
    "threadpoolctl": "import numpy, threadpoolctl\nprint([i['num_threads'] for i in threadpoolctl.threadpool_info()])",
    "matplotlib": "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.savefig('a.png'); print(matplotlib.get_backend())",
    "matplotlib text": "import matplotlib.pyplot as plt\nplt.figure(); plt.title('x'); plt.savefig('a.svg', metadata={'Date': None}); print(plt.get_fignums())",
    "statsmodels": "import numpy as np, statsmodels.api as sm\nprint(sm.OLS([1, 2, 4.0], sm.add_constant([1, 2, 3.0])).fit().params)",
    "h5py": "import h5py\nf = h5py.File('a.h5', 'w'); f['x'] = [1, 2]",
    "numba": "import numba\n@numba.njit\ndef f(x): return x + 1\nprint(f(2))",
    "torch": "import torch\ntorch.manual_seed(0); print(torch.rand(3), torch.initial_seed())",
    "torch unseeded": "import torch\nprint(torch.rand(3))",
}  # fmt: skip


def libraries() -> Iterator[Case]:
    for name, text in LIBRARIES.items():
        word = name.split()[0]
        needs = {"rich": ["rich"], "joblib": ["joblib"]}.get(word, [word])
        if "parquet" in name:
            needs = [word, "pyarrow"]
        arguments = ["--n", "3"] if name == "click" else ["x"] if name == "click error" else []
        yield case(f"library {name}", text, *arguments, needs=needs, quick=name in ("numpy unseeded", "numpy seeded", "pandas"),
                   expect={"threadpoolctl": "any"}.get(name, "warm"))  # fmt: skip


FAMILIES = (asks, ends, uses, processes, started, libraries)
