"""Write a request into the text of a study file, and leave everything else as its author wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packhorse.model.errors import StudyError

_KEY = re.compile(r"^resources[ \t]*:[ \t]*(?P<rest>.*)$", re.MULTILINE)
_ITEM = re.compile(r"^(?P<pad>[ \t]+)(?P<name>\w+)[ \t]*:(?P<rest>.*)$")


def with_resources(text: str, request: Mapping[str, str], path: str) -> str:
    """Return the text of a study with these lines below `resources:`; other lines and comments stay.

    Raise StudyError where `resources` is not written one key a line.
    """
    if "\r\n" in text:
        return with_resources(text.replace("\r\n", "\n"), request, path).replace("\n", "\r\n")
    found = _KEY.search(text)
    if found is None:
        body = text if text.endswith("\n") or not text else text + "\n"
        return body + "resources:\n" + "".join(f"  {name}: {value}\n" for name, value in request.items())
    if found["rest"].partition("#")[0].strip():
        line = text.count("\n", 0, found.start()) + 1
        raise StudyError(
            "resources is not written one key a line, so it is left as it is.",
            "Write each of its keys on a line of its own, or copy the proposal.",
            f"{path}:{line}",
        )
    head, block = text[: found.end() + 1], text[found.end() + 1 :]
    head = head if head.endswith("\n") else head + "\n"
    lines = block.splitlines(keepends=True)
    size = next(
        (at for at, line in enumerate(lines) if line.strip() and line[0] not in " \t#"),
        len(lines),
    )
    while size and (not lines[size - 1].strip() or lines[size - 1].startswith("#")):
        size -= 1  # blank lines and comments before the next key belong to that
    mine, rest = lines[:size], lines[size:]
    pad = next((item["pad"] for line in mine if (item := _ITEM.match(line))), "  ")
    left = dict(request)
    written = []
    for row in mine:
        item = _ITEM.match(row.rstrip("\n"))
        if item is None or item["pad"] != pad or item["name"] not in left:
            written.append(row if row.endswith("\n") else row + "\n")
            continue
        comment = re.search(r"[ \t]+#.*$", item["rest"])
        value = left.pop(item["name"])
        written.append(f"{pad}{item['name']}: {value}{comment[0] if comment else ''}\n")
    written += [f"{pad}{name}: {value}\n" for name, value in left.items()]
    return head + "".join(written) + "".join(rest)
