"""Which commands a warm process can run, and how their words are understood."""

import os
import re

from packhorse.worker.warm import reasons

PYTHON = re.compile(r"^python[0-9.]*$")
RSCRIPT = "Rscript"
# Options of an interpreter that a forked child has by inheritance; with any other one a task starts cold.
PYTHON_FLAGS = re.compile(
    r"^-([uOEsIPqbB]+|W.+|X(utf8(=[01])?|dev|faulthandler|no_debug_ranges|int_max_str_digits=\d+))$"
)
WITH_VALUE = ("-W", "-X")
# `R --help`: what is saved, restored or printed differs with the others. Rscript itself gives --no-echo and --no-restore.
R_FLAGS = re.compile(
    r"^--(vanilla|no-save|no-environ|no-site-file|no-init-file|no-restore(-data|-history)?|no-echo|slave|quiet|silent"
    r"|default-packages=.*|encoding=.*|max-ppsize=\d+|min-[nv]size=\w+)$"
)


class Cold(Exception):
    """A task cannot be run by a warm process; the text says why."""


class Command(object):
    """How a command line is understood: interpreter with its options, and the script or module."""

    def __init__(self, kind: str, interpreter: "list[str]", name: str, argv: "list[str]") -> None:
        self.kind = kind  # script or module, of Python; or R, a script
        self.interpreter = interpreter  # the words with which the interpreter is started
        self.name = name
        self.argv = argv  # the whole command line as the interpreter gets it
        self.key = (kind, tuple(interpreter), name)


def understand(argv: "list[str]", program: str) -> Command:
    """Return the Command of an argv whose program was found at a path, or raise Cold."""
    line = argv if _is_known(argv[0]) else _interpreter_line(program)
    if line and line is not argv:
        line = line + [program] + argv[1:]
    if line and os.path.basename(line[0]) == RSCRIPT:
        return _r(line)
    if line and PYTHON.match(os.path.basename(line[0])):
        return _python(line)
    name = os.path.basename(argv[0])
    if line:
        name += ", a script of %s" % os.path.basename(line[0])
    raise Cold(reasons.OTHER_PROGRAM % name)


def _is_known(name: str) -> bool:
    name = os.path.basename(name)
    return name == RSCRIPT or bool(PYTHON.match(name))


def _python(argv: "list[str]") -> Command:
    position = 1
    while position < len(argv) and argv[position].startswith("-") and argv[position] != "-":
        word = argv[position]
        if word == "-m" and position + 1 < len(argv):
            return Command("module", argv[:position], argv[position + 1], argv)
        if word in WITH_VALUE and position + 1 < len(argv):
            word += argv[position + 1]
            position += 1
        if not PYTHON_FLAGS.match(word):
            raise Cold((reasons.PROGRAM_IN_OPTION if word == "-c" else reasons.OPTION) % word)
        position += 1
    if position == len(argv) or argv[position] == "-":
        raise Cold(reasons.PROGRAM_FROM_INPUT)
    return Command("script", argv[:position], argv[position], argv)


def _r(argv: "list[str]") -> Command:
    """Understand words of Rscript, whose first word without two dashes is the script (Rscript.c, main)."""
    position = 1
    while position < len(argv) and (argv[position].startswith("--") or argv[position] == "-e"):
        word = argv[position]
        if not R_FLAGS.match(word):
            raise Cold((reasons.PROGRAM_IN_OPTION if word == "-e" else reasons.OPTION) % word)
        position += 1
    if position == len(argv) or argv[position] == "-":
        raise Cold(reasons.PROGRAM_FROM_INPUT)
    return Command("R", argv[:position], argv[position], argv)


def _interpreter_line(program: str) -> "list[str] | None":
    """Return the words of a script's `#!` line (execve(2)), or None."""
    try:
        with open(program, "rb") as stream:
            line = stream.readline(1024)
    except OSError:
        return None
    if not line.startswith(b"#!") or not line.endswith(b"\n"):
        return None
    argv = os.fsdecode(line[2:].strip()).split(None, 1)
    if len(argv) == 2 and os.path.basename(argv[0]) == "env" and not re.search(r"[\s=-]", argv[1]):
        argv = argv[1:]
    return argv
