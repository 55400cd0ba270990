"""Whether the commands of a script can be recorded for each index: nothing in it writes, and nothing else decides its words.

A script of which this is not certain is run as it is, so that only the names of its parameters are lost.
"""

from __future__ import annotations

import re

from packhorse.adopt.job import ALL_INDEX_NAMES, AdoptedJob
from packhorse.jobscript.shell import Arg, Command

# Builtins and keywords that change nothing but the shell itself.
_BUILTINS = frozenset(
    [
        *("[", "[[", ":", "break", "cd", "continue", "declare", "echo", "exit", "export", "false", "getopts", "hash", "let"),
        *("local", "mapfile", "printf", "read", "readarray", "readonly", "return", "set", "shift", "shopt", "test"),
        *("true", "type", "typeset", "ulimit", "umask", "unset", "wait", "exec", "source", ".", "trap"),
    ]
)  # fmt: skip
_FILTERS = frozenset(
    [
        *("awk", "gawk", "basename", "bc", "cat", "cut", "dirname", "egrep", "expr", "fgrep", "grep", "head", "ls", "nl"),
        *("paste", "printf", "rev", "sed", "seq", "sort", "tac", "tail", "tr", "uniq", "wc", "jq", "echo", "test", "["),
    ]
)  # fmt: skip
# With these arguments a filter writes a file or runs a program.
_WRITES = {
    "sed": re.compile(r"^-[nErsuz]*i|^--in-place|^--expression=.*[we] |(?:^|[;/}\d])\s*[wWe]\s"),
    "awk": re.compile(r">|\||system\s*\(|srand|rand\s*\(|systime|ENVIRON"),
    "gawk": re.compile(r">|\||system\s*\(|srand|rand\s*\(|systime|ENVIRON"),
    "sort": re.compile(r"^-\w*[oR]|^--output|^--random"),
    "uniq": re.compile(r"^(?!-)\S+\.\w+$"),
}
# They run text as a command, or change how the program runs or what happens after it.
_FORBIDDEN = {
    *(
        "eval",
        "command",
        "builtin",
        "coproc",
        "enable",
        "pushd",
        "popd",
        "bash",
        "sh",
        "disown",
        "fg",
        "bg",
        "kill",
    ),
    *(
        "alias",
        "trap",
        "ulimit",
        "umask",
        "set -a",
        "timeout",
        "setsid",
        "stdbuf",
        "taskset",
        "numactl",
        "nice",
    ),
}
_RECEIVERS = {"xargs", "parallel", "read", "mapfile", "readarray", "while_statement"}  # of a pipe
# What runs depends on files that exist, or on how a program ended.
_DEPENDS = re.compile(
    r"(?:\[\[?|\btest)[ \t][^\]\n]*-[bcdefghkprsuwxLS][ \t]"
    r"|^[ \t]*(?:if|elif|while|until)\b(?![ \t]*!?[ \t]*(?:\[|\(\(|test\b|read\b|IFS|true\b))"
    r"|\|\|(?![ \t]*(?:exit|true|echo|:|\{|return|printf|\[|mkdir[ \t]+-p|break|continue))",
    re.MULTILINE,
)
_ARITHMETIC = re.compile(r"\(\((.*?)\)\)")
# Their values are others on another machine, or at another time.
_CHANGING = {
    "RANDOM",
    "SECONDS",
    "EPOCHSECONDS",
    "BASHPID",
    "LINENO",
    "PPID",
    "HOSTNAME",
    "PWD",
    "OLDPWD",
    "HOME",
}
_TEXT = re.compile(
    r"declare -x|typeset -x|set -a\b|\$\$|\$!|\$0\b|BASH_SOURCE|(?:^|[\s=:\"'])~/|\$\(pwd\)|`pwd`|/dev/tcp"
)


def why_not_recorded(job: AdoptedJob) -> str:
    """Return why the commands of a script cannot be recorded; empty if they can."""
    shell = job.shell
    if not job.is_shell or job.script.interpreter not in {"", "bash", "sh"}:
        return "its body is not for bash"
    if not shell.available:
        return "the parser of shell scripts is not installed"
    if shell.errors:
        return "a part of it is not understood"
    text = re.sub(r"^[ \t]*#.*$|'[^']*'", "", job.script.text, flags=re.MULTILINE)
    if found := _TEXT.search(text):
        return f"it uses {found[0].strip()}, which differs from machine to machine"
    if found := _DEPENDS.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return f"line {line}: what runs depends on files, or on how a program ended"
    return _variables(job) or next((why for one in shell.commands if (why := _command(one, job))), "")


def _variables(job: AdoptedJob) -> str:
    named = set_names(job)
    given = {*job.constants, *ALL_INDEX_NAMES}
    for use in job.shell.uses:
        name = use.name
        if name in named or name in given or name.isdigit() or _in_submit_cd(job, use.line):
            continue
        first = next((one for one in job.shell.assignments if one.name == name), None)
        if first is None or (first.line, first.start) > (use.line, use.start):
            if name in _CHANGING:
                return f"line {use.line}: it uses {name}, which differs from machine to machine"
            return f"line {use.line}: {name} is not set in the script"
        value = first.value
        if (
            (value.line, value.start) <= (use.line, use.start)
            and use.line == value.line
            and use.end <= value.end
        ):
            return f"line {use.line}: {name} has a value before the script sets it"
    return ""


def set_names(job: AdoptedJob) -> set[str]:
    """Return the variables that loops, arithmetic, read, mapfile, getopts, printf -v and let set."""
    found: set[str] = set()
    for command in job.shell.commands:
        if command.name in {"read", "mapfile", "readarray", "getopts", "declare", "local"}:
            found |= {word.text for word in command.words[1:] if re.fullmatch(r"[A-Za-z_]\w*", word.text)}
            found |= {"REPLY", "MAPFILE"}
    made = re.compile(r"\b(?:let|declare|typeset|local)[ \t]+(?:-\w+[ \t]+)*[\"']?([A-Za-z_]\w*)[-+*/]?=")
    loops = re.findall(r"\b(?:for|select)[ \t]+(?:\(\([ \t]*)?([A-Za-z_]\w*)", job.script.text)
    found |= set(re.findall(r"\bprintf[ \t]+-v[ \t]+([A-Za-z_]\w*)", job.script.text))
    for inside in _ARITHMETIC.findall(job.script.text):
        found |= set(re.findall(r"([A-Za-z_]\w*)[ \t]*=(?!=)", inside))
    return found | set(made.findall(job.script.text)) | set(loops)


def is_submit_folder(word: Arg) -> bool:
    """Return whether a word is the folder in which the job was submitted."""
    return bool(
        re.fullmatch(r'"?\$\{?(?:SLURM_SUBMIT_DIR|PBS_O_WORKDIR|SGE_O_WORKDIR)\}?"?/?|\./?', word.raw)
    )


def _in_submit_cd(job: AdoptedJob, line: int) -> bool:
    return any(
        one.line == line and one.name == "cd" and len(one.words) == 2 and is_submit_folder(one.words[1])
        for one in job.shell.commands
    )


def _command(command: Command, job: AdoptedJob) -> str:
    """Return why a command cannot be recorded; empty if it can."""
    name = command.name
    first = (command.words[0], command.program[0])
    if any(word.literal is None for word in first):
        return f"line {command.line}: the command {first[1].text} is in a variable"
    if any("/" in word.text and not re.fullmatch(r"[\w./+-]+", word.text) for word in first):
        return f"line {command.line}: {name} is not a plain name of a command"
    if name in _FORBIDDEN:
        return f"line {command.line}: {name} is more than a command with arguments"
    why = _streams(command, job) or _filter(command)
    return f"line {command.line}: {why}" if why else ""


def _streams(command: Command, job: AdoptedJob) -> str:
    """Return what a command reads or writes that a recording would lose; empty if there is nothing."""
    name = command.name
    known = name in _FILTERS or name in _BUILTINS or name in job.shell.functions
    reads = name in _FILTERS or name in {"read", "mapfile", "readarray"}
    for mark, target in command.redirects:
        if mark.startswith("<") and not reads:
            return f"{name} reads {target}"
        if not mark.startswith("<") and target not in {"/dev/null", "&1", "&2", "1", "2"}:
            return f"it writes {target}"
    if "<<" in job.script.lines[command.end_line - 1].text and not reads:
        return f"{name} reads text of the script"
    if command.where.substitution and not known:
        return f"it uses what {name} prints"
    if command.piped_to and not known:
        return f"the output of {name} goes to {command.piped_to[0]}"
    other = [one for one in command.piped_to if one not in _FILTERS and one not in _RECEIVERS]
    return f"{other[0]} reads what {name} prints" if other else ""


def _filter(command: Command) -> str:
    """Return the argument with which a filter does more than read; empty if there is none."""
    pattern = _WRITES.get(command.name)
    words = command.words[1:] if pattern else ()
    return next(
        (f"{command.name} {word.text} may write" for word in words if pattern and pattern.search(word.text)),
        "",
    )


def exported_names(job: AdoptedJob) -> list[str]:
    """Return the variables that the script exports."""
    names = [one.name for one in job.shell.assignments if one.exported]
    for listed in re.findall(r"\bexport[ \t]+([A-Za-z_][\w \t]*)$", job.script.text, re.MULTILINE):
        names += listed.split()
    for command in job.shell.commands:
        if command.name not in _BUILTINS and command.name not in _FILTERS:  # such as IFS=, read
            names += [one.name for one in command.assignments]
    return list(dict.fromkeys(names))


def names_with_slash(job: AdoptedJob) -> list[str]:
    """Return the words that may be a command named by a path, which must be recorded and not run."""
    words = (word.text for one in job.shell.commands for word in one.words if word.literal is not None)
    return list(dict.fromkeys(word for word in words if "/" in word))
