"""Read an R script: arguments by commandArgs, optparse or argparse, and the files that it writes.

It searches the text by regular expressions, because R may not be installed to parse it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from packhorse.study.discover.docopt import find_docopt
from packhorse.study.discover.python import choose
from packhorse.study.discover.script import Parameter, ScriptFacts, parameter_name, role_of
from packhorse.study.discover.settings import r_configs, r_constants, r_value

NAME = r"[A-Za-z.][\w.]*"
KINDS: dict[str, Literal["int", "float", "text"]] = {
    "integer": "int",
    "numeric": "float",
    "double": "float",
    "character": "text",
}
WRITERS = r"write\.csv2?|write\.table|write_csv|write_json|fwrite|write_parquet|saveRDS|ggsave|pdf|png|writeLines|sink"
# commandArgs() begins with five arguments of Rscript itself: R, --no-echo, --no-restore, --file, --args.
RSCRIPT_ARGUMENTS = 5


def discover_r(source: str, subcommand: tuple[str, ...] = ()) -> ScriptFacts:
    """Return the arguments and files of a script; raise UsageError if `subcommand` is not one of its subcommands."""
    text = _without_comments(source)
    path, parameters = choose(_docopt(text), subcommand)
    parameters = parameters or [*_options(text)] or [*_positions(text)]
    names = {p.name for p in parameters}
    files = dict.fromkeys(f for _, inside in _calls(text, WRITERS) if (f := _file_name(inside, names)))
    return ScriptFacts(
        parameters=tuple({p.name: p for p in parameters}.values()),
        files=tuple(files),
        json=bool(re.search(r"(cat|print|writeLines)\(\s*(jsonlite::)?toJSON\(", text)),
        seed32=True,  # set.seed takes integers below 2^31
        subcommand=path,
        constants=r_constants(text),
        configs=r_configs(text),
    )


def _docopt(text: str) -> dict[tuple[str, ...], list[Parameter]]:
    texts = (
        re.findall(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", text, re.DOTALL) if "docopt" in text else []
    )
    return next((found for double, single in texts if (found := find_docopt(double or single))), {})


def _without_comments(source: str) -> str:
    """Remove comments, but not a # inside a text."""
    piece = r'"(?:\\.|[^"\\])*"' + "|" + r"'(?:\\.|[^'\\])*'" + r"|#[^\n]*"
    return re.sub(piece, lambda m: "" if m[0].startswith("#") else m[0], source, flags=re.DOTALL)


def _calls(text: str, names: str) -> Iterator[tuple[str, str]]:
    """Yield (name, text between the parentheses) of each call."""
    for match in re.finditer(rf"(?<![\w.])({names})\s*\(", text):
        yield match[1], _inside(text, match.end())


def _inside(text: str, start: int) -> str:
    depth, quote, at = 1, "", start
    while at < len(text):
        letter = text[at]
        if quote:
            at += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
            if depth == 0:
                return text[start:at]
        at += 1
    return text[start:]


# --- optparse's make_option and argparse's add_argument ---


def _options(text: str) -> Iterator[Parameter]:
    for _, inside in _calls(text, r"make_option|add_option|add_argument"):
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
        yield Parameter(name=parameter_name(named), role=role, flag=flag, kind=kind, default=default)


def _raw(inside: str, name: str) -> str:
    match = re.search(rf"\b{name}\s*=\s*(\"[^\"]*\"|'[^']*'|[^,\s)]+)", inside)
    return match[1] if match else ""


def _named(inside: str, name: str) -> str:
    return _raw(inside, name).strip("\"'")


# --- commandArgs by position ---


def _positions(text: str) -> Iterator[Parameter]:
    holder = re.search(rf"({NAME})\s*(?:<-|=)\s*commandArgs\s*\(([^)]*)\)(?!\s*\[)", text)
    sources = [r"commandArgs\s*\([^)]*\)"] + ([re.escape(holder[1])] if holder else [])
    call = re.search(r"commandArgs\s*\(([^)]*)\)", text)
    before = 0 if call and re.search(r"T(RUE)?\b", call[1]) else RSCRIPT_ARGUMENTS
    place = rf"(?<![\w.])(?:{'|'.join(sources)})\s*\[\[?\s*(\d+)L?\s*\]"
    parameters: dict[int, Parameter] = {}
    assigned = rf"({NAME})\s*(?:<-|=)\s*(?:as\.(integer|numeric|double|character)\s*\(\s*)?{place}"
    for match in re.finditer(assigned, text):
        kind = KINDS.get(match[2] or "character", "text")
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
    for position in range(1, min(max(parameters, default=0), 100) + 1):
        yield parameters.get(position, Parameter(name=f"arg{position}", kind="text"))


# --- Files that it writes ---


def _file_name(inside: str, names: set[str]) -> str:
    pasted = re.search(r"(paste0|sprintf|file\.path)\s*\(", inside)
    if pasted:
        return _composed(pasted[1], _inside(inside, pasted.end()), names)
    names_in_quotes = [
        w for w in re.findall(r"[\"']([^\"'\n]+)[\"']", inside) if re.search(r"[^.]\.[A-Za-z]\w*$", w)
    ]
    last = names_in_quotes[-1] if names_in_quotes else ""
    return "" if re.search("[{}]", last) else last


def _composed(how: str, inside: str, names: set[str]) -> str:
    """Return paste0("mean_", id, ".csv") and sprintf("mean_%d.csv", id) as mean_{id}.csv; other calls as empty."""
    pieces = [piece.strip() for piece in re.findall(r"\"[^\"]*\"|'[^']*'|[^,]+", inside) if piece.strip()]
    texts = [p[1:-1] if p[0] in "\"'" else ("{" + p + "}" if p in names else None) for p in pieces]
    if not texts or None in texts:
        return ""
    plain = [piece or "" for piece in texts]
    if how == "sprintf":
        filled = iter(plain[1:])
        return re.sub(r"%[ds]", lambda _: next(filled, "%"), plain[0]) if "%0" not in plain[0] else ""
    return ("/" if how == "file.path" else "").join(plain)
