"""Texts and values in a drafted study."""

from __future__ import annotations

import json
import math
import re

from packhorse.study.discover.script import Default


def one_line(text: str) -> str:
    """Return a text without control characters and line ends."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def yaml_value(value: Default) -> str:
    """Return a value as YAML, with quotes where a text could be read as another type."""
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    if not isinstance(value, str):
        return json.dumps(value)
    plain = re.fullmatch(r"[A-Za-z_./][\w./{}=-]*(?: [\w./{}=-]+)*", value, re.ASCII)
    if (
        plain
        and value.lower() not in {"true", "false", "null"}
        and not re.match(r"\.(\d|inf|nan|$)", value, re.I)
    ):
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def study_name(*parts: str) -> str:
    """Return a valid name of a study."""
    return re.sub(r"[^\w.-]+", "-", "-".join(parts), flags=re.ASCII).strip("-.")[:80] or "study"


def heading(filename: str, study_file: str) -> list[str]:
    """Return the first lines of a draft: what to do with it."""
    return [
        f"# A draft of a study of {one_line(filename)}. Correct it, then:",
        f"#   packhorse try {one_line(study_file)}: one task, in the foreground",
        f"#   packhorse run {one_line(study_file)}: all tasks",
    ]
