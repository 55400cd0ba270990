"""The files that an R script writes: their names, and the columns of those that have no names."""

from __future__ import annotations

import re

from packhorse.study.discover.calls import argument, arguments, calls
from packhorse.study.discover.files.template import Names, file_name, known_format, percent
from packhorse.study.discover.script import WrittenFile

# The position of the file among the arguments of a call without names.
WRITERS = {
    r"write\.csv2?": 1,
    r"write\.table": 1,
    r"(?:readr::)?write_(?:csv2?|tsv|rds|delim)": 1,
    r"(?:jsonlite::)?write_json": 1,
    r"(?:data\.table::)?fwrite": 1,
    r"(?:arrow::)?write_(?:parquet|feather)": 1,
    r"(?:openxlsx::)?write\.xlsx|(?:writexl::)?write_xlsx": 1,
    "saveRDS|writeLines|write": 1,
    "ggsave|pdf|png|svg|sink": 0,
    "save|cat": 99,
}
_FILE_KEYS = ("file", "path", "con", "filename", "sink", "x.file")
_TEXT = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_NAME = re.compile(r"(?:[A-Za-z.][\w.]*\$|[A-Za-z.][\w.]*\[\[?[\"'])?([A-Za-z.][\w.]*)(?:[\"']\]\]?)?")


def r_files(text: str, names: Names) -> tuple[WrittenFile, ...]:
    """Return the files that an R script writes, by kinds of calls."""
    found: dict[str, WrittenFile] = {}
    for pattern, position in WRITERS.items():
        for name, inside in calls(text, pattern):
            where = next((given for key in _FILE_KEYS if (given := _named(inside, key))), "")
            where = where or argument(inside, "file", position)
            path = file_name(_template(where, text, names)) if where else ""
            if path:
                header = _header(name, inside) if known_format(path) in {"csv", "tsv", "dat"} else ()
                found.setdefault(path, WrittenFile(path=path, header=header, format=_format(path, name)))
    order = {path: text.find(path.split("{")[0].split("*")[0]) for path in found}
    return tuple(sorted(found.values(), key=lambda file: order[file.path]))


def _named(inside: str, key: str) -> str:
    return next(
        (a.partition("=")[2].strip() for a in arguments(inside) if re.match(rf"{key}\s*=(?!=)", a)), ""
    )


def _format(path: str, writer: str) -> str:
    if (
        known_format(path)
        or writer in {"pdf", "png", "svg", "ggsave"}
        or "." in path.rpartition("/")[2][-5:-1]
    ):
        return "text" if writer in {"cat", "write", "writeLines"} and not known_format(path) else ""
    return ""


def _header(writer: str, inside: str) -> tuple[str, ...]:
    """Return the names of the values that cat writes as the only line of a table; of others none are known."""
    if writer not in {"cat", "write"}:
        return ()
    values = [
        a for a in arguments(inside) if not re.match(r"[A-Za-z.]+\s*=(?!=)", a) and not _TEXT.fullmatch(a)
    ]
    values = values[:1] if writer == "write" else values
    if len(values) == len(arguments(inside)) or any(_TEXT.search(value) for value in values):
        return ()
    shown = [
        value if re.fullmatch(r"[A-Za-z.][\w.]*", value) else f"value{n}" for n, value in enumerate(values, 1)
    ]
    return tuple(shown) if len(shown) > 1 else tuple(name.replace("value1", "value") for name in shown)


def _template(code: str, text: str, names: Names, depth: int = 0) -> str:
    """Return the template of a text that R code makes."""
    code = code.strip()
    quoted = _TEXT.fullmatch(code)
    if quoted:
        literal = quoted[1] or quoted[2] or ""
        return literal if not re.search(r"[{}*\\]", literal) else "*"
    call = re.fullmatch(
        r"(paste0|paste|sprintf|file\.path|here::here|here|as\.character|as\.integer)\s*\((.*)\)",
        code,
        re.DOTALL,
    )
    if call and depth < 8:
        return _composed(call[1], call[2], text, names, depth + 1)
    position = re.fullmatch(r"[A-Za-z.][\w.]*\[\[?(\d+)L?\]\]?", code)  # args[2]
    if position and f"arg{position[1]}" in names.placeholders:
        return names.piece(f"arg{position[1]}")
    named = _NAME.fullmatch(code)
    if named is None or depth >= 8:
        return "*"
    if named[1] in names.placeholders:
        return names.piece(named[1])
    values = re.findall(rf"(?<![\w.$]){re.escape(named[1])}[ \t]*(?:<-|=(?!=))[ \t]*", text)
    if len(values) != 1:
        return "*"
    start = text.index(values[0]) + len(values[0])
    return _template(_expression(text, start), text, names, depth + 1)


def _expression(text: str, start: int) -> str:
    """Return an expression from `start` to the end of its line, or of its parentheses."""
    line = re.compile(r"[^\n(;]*").match(text, start)
    if line is None or text[line.end() : line.end() + 1] != "(":
        return text[start : line.end() if line else start]
    depth, at = 0, line.end()
    while at < len(text):
        depth += (text[at] == "(") - (text[at] == ")")
        at += 1
        if depth == 0:
            break
    return text[start:at]


def _composed(how: str, inside: str, text: str, names: Names, depth: int) -> str:
    given = arguments(inside)
    plain = [one for one in given if not re.match(r"(sep|collapse|fsep)\s*=(?!=)", one)]
    if how == "sprintf" and plain:
        pieces = [_template(one, text, names, depth) for one in plain[1:]]
        return percent(_template(plain[0], text, names, depth), pieces, list(map(_r_name, plain[1:])), names)
    between = {"paste0": "", "file.path": "/", "here": "/", "here::here": "/"}.get(how, " ")
    separator = next((one.partition("=")[2].strip() for one in given if re.match(r"sep\s*=", one)), "")
    if how == "paste" and _TEXT.fullmatch(separator):
        between = separator[1:-1]
    return between.join(_template(one, text, names, depth) for one in plain)


def _r_name(code: str) -> str:
    named = _NAME.fullmatch(re.sub(r"^as\.\w+\s*\((.*)\)$", r"\1", code.strip()))
    return named[1] if named else ""
