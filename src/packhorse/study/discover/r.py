"""Read an R script: arguments by commandArgs, optparse or argparse, and the files that it writes.

It searches the text by regular expressions, because R may not be installed to parse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from packhorse.study.discover.arguments.docopt import find_docopt
from packhorse.study.discover.calls import calls, without_comments
from packhorse.study.discover.files.r import r_files
from packhorse.study.discover.files.template import names_of
from packhorse.study.discover.python import choose
from packhorse.study.discover.script import (
    Parameter,
    ScriptFacts,
    array_variable,
    is_index,
    parameter_name,
    role_of,
    with_index,
)
from packhorse.study.discover.settings import r_configs, r_constants, r_value

NAME = r"[A-Za-z.][\w.]*"
KINDS: dict[str, Literal["int", "float", "text"]] = {
    "integer": "int",
    "numeric": "float",
    "double": "float",
    "character": "text",
}
# commandArgs() begins with five arguments of Rscript itself: R, --no-echo, --no-restore, --file, --args.
RSCRIPT_ARGUMENTS = 5


def discover_r(source: str, subcommand: tuple[str, ...] = ()) -> ScriptFacts:
    """Return the arguments and files of a script; raise UsageError if `subcommand` is not one of its subcommands."""
    text = without_comments(source)
    path, parameters = choose(_docopt(text), subcommand)
    parameters = parameters or [*_options(text)] or [*_positions(text)]
    variable = array_variable(text)
    # A name for index - 1 is one of another number.
    named = re.compile(rf"({NAME})\s*(?:<-|=(?!=))[^\n]*[\"']{variable}[\"'][\s),]*(?:$|;|#)", re.MULTILINE)
    aliases = named.findall(text) if variable else []
    parameters, index = with_index(parameters, aliases, variable)
    # set.seed takes integers below 2^31.
    names = names_of(parameters, aliases, index, "{seed32}")
    return ScriptFacts(
        parameters=tuple({p.name: p for p in parameters}.values()),
        files=r_files(text, names),
        index=index,
        prints="json" if re.search(r"(cat|print|writeLines)\(\s*(jsonlite::)?toJSON\(", text) else "",
        seed32=True,
        subcommand=path,
        constants=r_constants(text),
        configs=r_configs(text),
    )


def _docopt(text: str) -> dict[tuple[str, ...], list[Parameter]]:
    texts = (
        re.findall(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", text, re.DOTALL) if "docopt" in text else []
    )
    return next((found for double, single in texts if (found := find_docopt(double or single))), {})


# --- optparse's make_option and argparse's add_argument ---


def _options(text: str) -> Iterator[Parameter]:
    for _, inside in calls(text, r"make_option|add_option|add_argument"):
        head = inside.split("=")[0]
        names: list[str] = re.findall(r"[\"']([^\"']+)[\"']", head)
        flags = [word for word in names if word.startswith("-")]
        named = _named(inside, "dest") or next(
            (f for f in flags if f.startswith("--")), (flags or names or [""])[0]
        )
        if not named:
            continue
        flag = next((f for f in flags if f.startswith("--")), flags[0] if flags else "")
        default = r_value(_raw(inside, "default"))
        kind: Literal["", "int", "float", "text"] = KINDS.get(_named(inside, "type"), "")
        role: Any = role_of(named.strip("-"))
        if _named(inside, "action") in {"store_true", "store_false"} or _named(inside, "type") == "logical":
            role = "switch"
        elif flag and default is None and role == "parameter":
            role = "optional"
        about = _named(inside, "help")
        yield Parameter(
            name=parameter_name(named), role=role, flag=flag, kind=kind, default=default, help=about
        )


def _raw(inside: str, name: str) -> str:
    match = re.search(rf"\b{name}\s*=\s*(\"[^\"]*\"|'[^']*'|[^,\s)]+)", inside)
    return match[1] if match else ""


def _named(inside: str, name: str) -> str:
    return _raw(inside, name).strip("\"'")


# --- commandArgs by position ---


def _positions(text: str) -> Iterator[Parameter]:
    holder = re.search(rf"({NAME})\s*(?:<-|=)\s*(?:as\.\w+\s*\(\s*)?commandArgs\s*\(([^)]*)\)(?!\s*\[)", text)
    sources = [r"commandArgs\s*\([^)]*\)"] + ([re.escape(holder[1])] if holder else [])
    call = re.search(r"commandArgs\s*\(([^)]*)\)", text)
    before = 0 if call and re.search(r"T(RUE)?\b", call[1]) else RSCRIPT_ARGUMENTS
    place = rf"(?<![\w.])(?:{'|'.join(sources)})\s*\[\[?\s*(\d+)L?\s*\]"
    parameters: dict[int, Parameter] = {}
    assigned = rf"({NAME})\s*(?:<-|=)\s*(?:as\.(integer|numeric|double|character)\s*\(\s*)?{place}"
    for match in re.finditer(assigned, text):
        kind: Literal["", "int", "float", "text"] = KINDS.get(match[2] or "character", "text")
        kind = "int" if kind == "float" and is_index(match[1]) else kind
        parameters.setdefault(
            int(match[3]) - before,
            Parameter(name=parameter_name(match[1]), role=role_of(match[1]), kind=kind),
        )
    for match in re.finditer(place, text):
        parameters.setdefault(
            int(match[1]) - before, Parameter(name=f"arg{int(match[1]) - before}", kind="text")
        )
    if (
        not parameters
        and holder
        and re.search(rf"as\.(integer|numeric)\s*\(\s*{re.escape(holder[1])}\s*\)", text)
    ):
        parameters[1] = Parameter(name="arg1", kind="float")
    # index <- as.numeric(commandArgs(TRUE)): the only argument.
    alone = re.search(rf"({NAME})\s*(?:<-|=)\s*as\.(\w+)\s*\(\s*commandArgs\s*\([^)]*\)\s*\)", text)
    if not parameters and alone and not re.search(rf"(?<![\w.]){re.escape(alone[1])}\s*\[", text):
        whole = "int" if is_index(alone[1]) else KINDS.get(alone[2], "text")
        parameters[1] = Parameter(name=parameter_name(alone[1]), role=role_of(alone[1]), kind=whole)
    for position in range(1, min(max(parameters, default=0), 100) + 1):
        yield parameters.get(position, Parameter(name=f"arg{position}", kind="text"))
