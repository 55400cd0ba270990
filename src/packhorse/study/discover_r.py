"""Read an R script: commandArgs, optparse, argparse, and the files it writes. By text, as R is not here to parse it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from packhorse.study.found import Found, Parameter, name_of, role_of

NAME = r"[A-Za-z.][\w.]*"
KINDS: dict[str, Literal["int", "float", "text"]] = {
    "integer": "int",
    "numeric": "float",
    "double": "float",
    "character": "text",
}
WRITERS = r"write\.csv2?|write\.table|write_csv|write_json|fwrite|write_parquet|saveRDS|ggsave|pdf|png|writeLines|sink"
# Rscript itself takes five places of commandArgs() before the script's own: R, --no-echo, --no-restore, --file, --args.
OWN_PLACES = 5


def discover_r(source: str) -> Found:
    """Return what the script reads and writes."""
    text = _without_comments(source)
    parameters = [*_options(text)] or [*_positions(text)]
    names = {p.name for p in parameters}
    files = dict.fromkeys(f for _, inside in _calls(text, WRITERS) if (f := _file_name(inside, names)))
    return Found(
        parameters=tuple({p.name: p for p in parameters}.values()),
        files=tuple(files),
        json=bool(re.search(r"(cat|print|writeLines)\(\s*(jsonlite::)?toJSON\(", text)),
        seed32=True,  # set.seed takes less than 2^31
    )


def _without_comments(source: str) -> str:
    """Drop comments, leaving # inside of text alone."""
    piece = r'"(?:\\.|[^"\\])*"' + "|" + r"'(?:\\.|[^'\\])*'" + r"|#[^\n]*"
    return re.sub(piece, lambda m: "" if m[0].startswith("#") else m[0], source, flags=re.DOTALL)


def _calls(text: str, names: str) -> Iterator[tuple[str, str]]:
    """Give (name, text between the parentheses) of each call."""
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
        words: list[str] = re.findall(r"[\"']([^\"']+)[\"']", head)
        flags = [word for word in words if word.startswith("-")]
        named = _named(inside, "dest") or next(
            (f for f in flags if f.startswith("--")), (flags or words or [""])[0]
        )
        if not named:
            continue
        flag = next((f for f in flags if f.startswith("--")), flags[0] if flags else "")
        default = _value(_raw(inside, "default"))
        kind: Literal["", "int", "float", "text"] = KINDS.get(_named(inside, "type"), "")
        role: Any = role_of(named.strip("-"))
        if _named(inside, "action") in {"store_true", "store_false"} or _named(inside, "type") == "logical":
            role = "switch"
        elif flag and default is None and role == "parameter":
            role = "optional"
        yield Parameter(name=name_of(named), role=role, flag=flag, kind=kind, default=default)


def _raw(inside: str, name: str) -> str:
    found = re.search(rf"\b{name}\s*=\s*(\"[^\"]*\"|'[^']*'|[^,\s)]+)", inside)
    return found[1] if found else ""


def _named(inside: str, name: str) -> str:
    return _raw(inside, name).strip("\"'")


def _value(raw: str) -> Any:
    """Return an R constant as Python's; None for NULL, NA and anything to be computed."""
    if raw[:1] in {'"', "'"}:
        return raw[1:-1]
    if raw in {"TRUE", "FALSE"}:
        return raw == "TRUE"
    if re.fullmatch(r"-?\d+L?", raw):
        return int(raw.rstrip("L"))
    return float(raw) if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", raw) else None


# --- commandArgs by position ---


def _positions(text: str) -> Iterator[Parameter]:
    holder = re.search(rf"({NAME})\s*(?:<-|=)\s*commandArgs\s*\(([^)]*)\)(?!\s*\[)", text)
    sources = [r"commandArgs\s*\([^)]*\)"] + ([re.escape(holder[1])] if holder else [])
    said = re.search(r"commandArgs\s*\(([^)]*)\)", text)
    before = 0 if said and re.search(r"T(RUE)?\b", said[1]) else OWN_PLACES
    place = rf"(?<![\w.])(?:{'|'.join(sources)})\s*\[\[?\s*(\d+)L?\s*\]"
    found: dict[int, Parameter] = {}
    assigned = rf"({NAME})\s*(?:<-|=)\s*(?:as\.(integer|numeric|double|character)\s*\(\s*)?{place}"
    for match in re.finditer(assigned, text):
        kind = KINDS.get(match[2] or "character", "text")
        found.setdefault(
            int(match[3]) - before, Parameter(name=name_of(match[1]), role=role_of(match[1]), kind=kind)
        )
    for match in re.finditer(place, text):
        found.setdefault(int(match[1]) - before, Parameter(name=f"arg{int(match[1]) - before}", kind="text"))
    if not found and holder and re.search(rf"as\.(integer|numeric)\s*\(\s*{re.escape(holder[1])}\s*\)", text):
        found[1] = Parameter(name="arg1", kind="float")
    for at in range(1, min(max(found, default=0), 100) + 1):
        yield found.get(at, Parameter(name=f"arg{at}", kind="text"))


# --- What it writes ---


def _file_name(inside: str, names: set[str]) -> str:
    pasted = re.search(r"(paste0|sprintf|file\.path)\s*\(", inside)
    if pasted:
        return _composed(pasted[1], _inside(inside, pasted.end()), names)
    found = [w for w in re.findall(r"[\"']([^\"'\n]+)[\"']", inside) if re.search(r"[^.]\.[A-Za-z]\w*$", w)]
    return found[-1] if found and not re.search("[{}]", found[-1]) else ""


def _composed(how: str, inside: str, names: set[str]) -> str:
    """Return paste0("mean_", id, ".csv") and sprintf("mean_%d.csv", id) as mean_{id}.csv, or nothing."""
    pieces = [piece.strip() for piece in re.findall(r"\"[^\"]*\"|'[^']*'|[^,]+", inside) if piece.strip()]
    told = [p[1:-1] if p[0] in "\"'" else ("{" + p + "}" if p in names else None) for p in pieces]
    if not told or None in told:
        return ""
    plain = [piece or "" for piece in told]
    if how == "sprintf":
        filled = iter(plain[1:])
        return re.sub(r"%[ds]", lambda _: next(filled, "%"), plain[0]) if "%0" not in plain[0] else ""
    return ("/" if how == "file.path" else "").join(plain)
