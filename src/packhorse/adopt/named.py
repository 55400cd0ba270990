"""Named parameters from the recorded commands of a script: what differs between tasks becomes a parameter.

The commands are data: a row of arguments for each task. A column that is the same in all rows is text of the command, one
that differs is a parameter, and one that is made of the index or of other parameters (out_7.csv) refers to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from packhorse.jobscript.shell import Arg, Command, Where
from packhorse.study.template import BUILTIN, literal

_SHOWS = frozenset(
    [
        *("date", "hostname", "pwd", "which", "whoami", "uname", "nproc", "lscpu", "free", "nvidia-smi", "env"),
        *("printenv", "id", "df", "du", "uptime", "w", "clear", "tput", "times", "sinfo", "squeue", "sstat"),
        *("qstat",),
    ]
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_]\w*")


class TaskCommand(Struct, frozen=True, kw_only=True):
    """The program of one task, and what the script did before it: folders, modules, exports, a virtual environment."""

    argv: tuple[str, ...]
    folders: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    exported: dict[str, str] = {}
    venv: str = ""
    launcher: str = ""


class NamedStudy(Struct, frozen=True, kw_only=True):
    """A command with named parameters. `columns` has the text of each parameter for each task."""

    command: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    prefix: dict[str, str] = {}  # varying variables, as templates
    environ: dict[str, str] = {}
    folders: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    venv: str = ""

    def texts(self, row: int) -> dict[str, str]:
        """Return the values of one task."""
        return {name: column[row] for name, column in self.columns.items()}


class NotNamedError(Exception):
    """Why there are no named parameters."""


class Plain(Struct, frozen=True):
    """A command of a script as the classification needs it."""

    argv: tuple[str, ...]
    folder: str
    exported: dict[str, str] = {}


def task_command(commands: Sequence[Any], folder: str) -> TaskCommand:
    """Return the one program that a script starts. Raises NotNamedError where it starts several, or does more."""
    found = several(commands, folder)
    if len(found) != 1:
        raise NotNamedError("it starts no program" if not found else f"it starts {len(found)} programs")
    return found[0]


def several(commands: Iterable[Any], folder: str) -> list[TaskCommand]:
    """Return the programs that a script starts, each with what was prepared before it."""
    folders: list[str] = []
    modules: list[str] = []
    venv, found = "", list[TaskCommand]()
    for command in commands:
        words = unwrapped(command.argv)
        name = words[0].rpartition("/")[2]
        if name in {"module", "ml"}:
            modules = _with_modules(modules, words[1:])
        elif name in {"source", "."} and len(words) == 2:
            venv = _venv(words[1])
        elif command.folder != folder or (name == "cd" and words[1:] not in (["."], ["./"], [folder])):
            raise NotNamedError(f"it works in another folder ({' '.join(words[:2])})")
        elif name == "mkdir":
            folders += _made(words[1:])
        elif name not in _SHOWS and name != "cd" and not _shows_version(words):
            found.append(
                TaskCommand(
                    argv=tuple(words), folders=tuple(folders), modules=tuple(modules),
                    exported=dict(command.exported), venv=venv,
                )
            )  # fmt: skip
    return found


def _shows_version(words: Sequence[str]) -> bool:
    return len(words) == 2 and words[1] in {"--version", "-V"}


def unwrapped(argv: Sequence[str]) -> list[str]:
    """Return a command without srun, nohup or time before it."""
    words = tuple(Arg(word, word, 1, 0, 0) for word in argv)
    command = Command(words=words, line=1, start=0, end_line=1, where=Where())
    if argv[0] not in {"srun", "nohup", "time", "ibrun"}:
        return list(argv)
    return [word.raw for word in command.program]


def _with_modules(modules: list[str], words: Sequence[str]) -> list[str]:
    action, names = (
        ("load", list(words)) if words and words[0] not in _MODULE_WORDS else (words[0], list(words[1:]))
    )
    if action in {"purge", "reset"}:
        return []
    if action in {"load", "add"} and all(
        re.fullmatch(r"[\w.+/-]+", name) and name[0] != "-" for name in names
    ):
        return [*modules, *names]
    if action in {"list", "avail", "spider"}:
        return modules
    raise NotNamedError(f"module {action} is not taken over")


_MODULE_WORDS = {
    *("load", "add", "purge", "reset", "list", "avail", "spider", "use", "unuse", "swap", "unload", "rm", "restore"),
    *("switch", "save", "show", "whatis", "help", "del", "refresh", "init"),
}  # fmt: skip


def _venv(path: str) -> str:
    if not path.endswith("/bin/activate") or path.startswith(("/", "~")):
        raise NotNamedError(f"it reads {path} into its shell")
    return path.removesuffix("/bin/activate")


def _made(words: Sequence[str]) -> list[str]:
    names = [word for word in words if not word.startswith("-")]
    if any(word not in {"-p", "--parents"} for word in words if word.startswith("-")) or "-p" not in words:
        raise NotNamedError("mkdir without -p alone is not taken over")
    if any(name.startswith(("/", "~", "..")) for name in names):
        raise NotNamedError("it makes a folder outside of the project")
    return names


# --- From rows of arguments to parameters ---


def named_study(
    tasks: Sequence[TaskCommand], indices: Sequence[int], index_name: str, words: Sequence[str]
) -> NamedStudy:
    """Return the command with parameters for these tasks.

    `indices` are those of an array, empty where the tasks come from a loop; `words` are the words of the program's line as
    written, which give names. Raises NotNamedError where tasks differ in more than the values of arguments.
    """
    _check_alike(tasks)
    first = tasks[0]
    columns: dict[str, tuple[str, ...]] = {}
    if indices:
        columns[index_name] = tuple(map(str, indices))
    templates: dict[int, str] = {}
    # Names of files come last, since they are made of other values.
    plain_first = sorted(range(len(first.argv)), key=lambda at: bool(re.search(r"[/.]\D", first.argv[at])))
    for at in plain_first:
        values = tuple(one.argv[at] for one in tasks)
        templates[at] = _template(values, columns, _suggested(first.argv, at, words))
    prefix, environ = {}, {}
    for name in sorted(first.exported):
        values = tuple(one.exported[name] for one in tasks)
        if len(set(values)) == 1:
            environ[name] = values[0]
        else:
            prefix[name] = _template(values, columns, name.lower())
    made = zip(*(one.folders for one in tasks), strict=True)
    folders = dict.fromkeys(_template(values, dict(columns), "") for values in made)
    return NamedStudy(
        command=tuple(templates[at] for at in range(len(first.argv))),
        columns=columns, prefix=prefix, environ=environ, folders=tuple(folders), modules=first.modules, venv=first.venv,
    )  # fmt: skip


def _check_alike(tasks: Sequence[TaskCommand]) -> None:
    """Raise NotNamedError where tasks differ in more than the values of arguments."""
    same = (
        ("the number of arguments differs", {len(one.argv) for one in tasks}),
        ("the modules differ", {one.modules for one in tasks}),
        ("the virtual environments differ", {one.venv for one in tasks}),
        ("the programs differ", {one.argv[0] for one in tasks}),
        ("the exported variables differ", {frozenset(one.exported) for one in tasks}),
        ("the folders that it makes differ", {len(one.folders) for one in tasks}),
    )
    for what, values in same:
        if len(values) > 1:
            raise NotNamedError(f"{what} between tasks")


def _template(values: tuple[str, ...], columns: dict[str, tuple[str, ...]], name: str) -> str:
    """Return the text of an argument with placeholders; a new parameter is added to the columns where it needs one."""
    if len(set(values)) == 1:
        return literal(values[0])
    for known, column in columns.items():
        if column == values:
            return f"{{{known}}}"
    # An option's number, --seed 1007, is a parameter of its own, although it may have the digits of another.
    numbers = all(re.fullmatch(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?", value) for value in values)
    if not (numbers and name) and (made := composed(values, columns)):
        return made
    if not name:
        raise NotNamedError("the folders that it makes differ between tasks")
    # --rate=0.1: the option is text, its value the parameter.
    head = re.match(r"(?:--?)?[\w.+-]+=", values[0])
    if head and all(value.startswith(head[0]) for value in values):
        inner = tuple(value[len(head[0]) :] for value in values)
        key = head[0].strip("-=")
        return literal(head[0]) + _template(inner, columns, _clean(key) or name)
    chosen = _free(_clean(name) or "value", columns)
    columns[chosen] = values
    return f"{{{chosen}}}"


def composed(values: tuple[str, ...], columns: Mapping[str, tuple[str, ...]]) -> str:
    """Return a template of known parameters that gives all values; empty if there is none."""
    choices: list[tuple[str, str]] = []
    for name, column in columns.items():
        choices.append((name, column[0]))
        if all(re.fullmatch(r"\d+", text) for text in column):
            choices += [
                (f"{name}:0{width}d", column[0].zfill(width)) for width in range(len(column[0]) + 1, 9)
            ]
    for chosen in _subsets(choices, values[0]):
        template = _substitute(values[0], chosen)
        if template and all(
            _filled(template, {n: c[row] for n, c in columns.items()}) == value
            for row, value in enumerate(values)
        ):
            return template
    return ""


def _subsets(choices: Sequence[tuple[str, str]], text: str) -> Iterable[list[tuple[str, str]]]:
    """Yield single parameters and pairs whose value is in a text, those with longer values first."""
    present = sorted((one for one in choices if one[1] and one[1] in text), key=lambda one: -len(one[1]))
    yield from ([one] for one in present)
    yield from ([a, b] for a in present for b in present if a[0] != b[0])
    yield from (present[:3],) if len(present) >= 3 else ()


def _substitute(text: str, chosen: Sequence[tuple[str, str]]) -> str:
    """Return a text in which each value stands once as a word, replaced by its placeholder; empty if it does not."""
    parts: list[str | tuple[str]] = [text]
    for name, value in chosen:
        pattern = re.compile(
            rf"(?<![A-Za-z0-9.]){re.escape(value)}(?![A-Za-z0-9])" if len(value) < 3 else re.escape(value)
        )
        for number, part in enumerate(parts):
            if isinstance(part, str) and (match := pattern.search(part)):
                parts[number : number + 1] = [part[: match.start()], (f"{{{name}}}",), part[match.end() :]]
                break
        else:
            pattern = re.compile(rf"(?<!\d){re.escape(value)}(?!\d)")
            for number, part in enumerate(parts):
                if isinstance(part, str) and (match := pattern.search(part)):
                    parts[number : number + 1] = [
                        part[: match.start()],
                        (f"{{{name}}}",),
                        part[match.end() :],
                    ]
                    break
            else:
                return ""
    return "".join(literal(part) if isinstance(part, str) else part[0] for part in parts)


_PLACE = re.compile(r"\{\{|\}\}|\{([^{}:]+)(?::0(\d+)d)?\}")


def _filled(template: str, texts: Mapping[str, str]) -> str:
    def shown(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        return texts[match[1]].zfill(int(match[2])) if match[2] else texts[match[1]]

    return _PLACE.sub(shown, template)


def _suggested(argv: Sequence[str], at: int, words: Sequence[str]) -> str:
    """Return a name for an argument: that of its option, of the variable in the script, or its place."""
    before = argv[at - 1] if at else ""
    if re.fullmatch(r"--?[A-Za-z][\w-]*", before):
        return before
    if len(words) == len(argv):
        names = re.findall(r"\$\{?([A-Za-z_]\w*)", words[at])
        if len(names) == 1 or (names and "[" in words[at]):
            return str(names[0])
    return f"arg{at - 1 if at > 1 else at}"


def _clean(name: str) -> str:
    cleaned = re.sub(r"\W", "_", name.lstrip("-"))
    return cleaned if _NAME.fullmatch(cleaned) else ""


def _free(name: str, columns: Mapping[str, Any]) -> str:
    """Return a name that is not taken: seed is the task's own, so that of a script is script_seed."""
    reserved = {*BUILTIN, "zip", "csv", "file", "where", "bootstrap", "permutations", "folds", "chunks"}
    base = f"script_{name}" if name in reserved else name
    chosen, number = base, 1
    while chosen in columns:
        number += 1
        chosen = f"{base}_{number}"
    return chosen
