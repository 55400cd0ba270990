"""Whether the commands of a script can be recorded for each index: nothing in it writes, and its words depend on nothing else.

A script of which this is not certain is run as it is. Its commands are then not known to Packhorse, which is no loss but of names.
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
_FORBIDDEN = {
    *("eval", "command", "builtin", "coproc", "enable", "pushd", "popd", "bash", "sh", "disown", "fg", "bg", "kill", "alias"),
}
# Their values are others on another machine, or at another time.
_CHANGING = {"RANDOM", "SECONDS", "EPOCHSECONDS", "BASHPID", "LINENO", "PPID", "HOSTNAME", "PWD", "OLDPWD", "HOME"}
_TEXT = re.compile(r"declare -x|typeset -x|set -a\b|\$\$|\$!|\$0\b|BASH_SOURCE|(?:^|[\s=:\"'])~/|\$\(pwd\)|`pwd`|/dev/tcp")


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
    return _variables(job) or next((why for one in shell.commands if (why := _command(one, job))), "")


def _variables(job: AdoptedJob) -> str:
    set_by_script = {one.name for one in job.shell.assignments} | _read_names(job) | set(job.constants)
    for use in job.shell.uses:
        name = use.name
        if name in _CHANGING and name not in set_by_script:
            return f"line {use.line}: it uses {name}, which differs from machine to machine"
        known = name in set_by_script or name in ALL_INDEX_NAMES or name.isdigit()
        if not known and not _in_submit_cd(job, use.line) and name not in _loop_names(job):
            return f"line {use.line}: {name} is not set in the script"
    return ""


def _read_names(job: AdoptedJob) -> set[str]:
    """Return the variables that read, mapfile and getopts set."""
    found: set[str] = set()
    for command in job.shell.commands:
        if command.name in {"read", "mapfile", "readarray", "getopts", "declare", "local"}:
            found |= {word.text for word in command.words[1:] if re.fullmatch(r"[A-Za-z_]\w*", word.text)}
            found |= {"REPLY", "MAPFILE"}
    made = re.compile(r"\b(?:let|declare|typeset|local)[ \t]+(?:-\w+[ \t]+)*[\"']?([A-Za-z_]\w*)[-+*/]?=")
    return found | set(made.findall(job.script.text))


def _loop_names(job: AdoptedJob) -> set[str]:
    return set(re.findall(r"\bfor[ \t]+(?:\(\([ \t]*)?([A-Za-z_]\w*)", job.script.text))


def is_submit_folder(word: Arg) -> bool:
    """Return whether a word is the folder in which the job was submitted."""
    return bool(re.fullmatch(r'"?\$\{?(?:SLURM_SUBMIT_DIR|PBS_O_WORKDIR|SGE_O_WORKDIR)\}?"?/?|\./?', word.raw))


def _in_submit_cd(job: AdoptedJob, line: int) -> bool:
    return any(
        one.line == line and one.name == "cd" and len(one.words) == 2 and is_submit_folder(one.words[1])
        for one in job.shell.commands
    )


def _command(command: Command, job: AdoptedJob) -> str:
    name, at = command.name, f"line {command.line}: "
    if command.words[0].literal is None or command.program[0].literal is None:
        return f"{at}the command {command.program[0].text} is in a variable"
    if any("/" in word.text and not re.fullmatch(r"[\w./+-]+", word.text) for word in (command.words[0], command.program[0])):
        return f"{at}the name of the command {name} has other signs than letters"
    if name in _FORBIDDEN:
        return f"{at}{name} runs text as a command"
    for mark, target in command.redirects:
        if mark.startswith("<"):
            if name not in _FILTERS and name != "read" and name not in {"mapfile", "readarray"}:
                return f"{at}{name} reads {target}"
        elif target not in {"/dev/null", "&1", "&2", "1", "2"}:
            return f"{at}it writes {target}"
    filters = name in _FILTERS
    if "<<" in job.script.lines[command.end_line - 1].text and not filters and name not in {"read", "mapfile"}:
        return f"{at}{name} reads text of the script"
    if command.where.substitution and not filters and name not in _BUILTINS and name not in job.shell.functions:
        return f"{at}it uses what {name} prints"
    if filters and (pattern := _WRITES.get(name)):
        for word in command.words[1:]:
            if pattern.search(word.text):
                return f"{at}{name} {word.text} may do more than read"
    if name in {"echo", "printf", "cat"} and not command.piped_to:
        return ""
    if command.piped_to and not filters and name not in _BUILTINS and name not in job.shell.functions:
        return f"{at}its output goes to {command.piped_to[0]}"
    return ""


def exported_names(job: AdoptedJob) -> list[str]:
    """Return the variables that the script exports."""
    names = [one.name for one in job.shell.assignments if one.exported]
    for listed in re.findall(r"\bexport[ \t]+([A-Za-z_][\w \t]*)$", job.script.text, re.MULTILINE):
        names += listed.split()
    for command in job.shell.commands:
        names += [one.name for one in command.assignments]
    return list(dict.fromkeys(names))


def names_with_slash(job: AdoptedJob) -> list[str]:
    """Return the commands that the script names by a path, which must be recorded and not run: all words that may be one."""
    words = (word.text for one in job.shell.commands for word in one.words if word.literal is not None)
    return list(dict.fromkeys(word for word in words if "/" in word))
