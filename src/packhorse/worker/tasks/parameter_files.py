"""Parameter files that a command names (params.json, params.R, ...), in the format of their suffix."""

import json
import os

from packhorse.worker.space import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from packhorse.worker.tasks.task import Task


def write_parameter_files(task: "Task", names: "list[str]") -> None:
    """Write the named parameter files of a task."""
    for name in names:
        path = os.path.join(task.folders.root, name)
        with open(path, "w", encoding="utf-8", newline="") as stream:
            stream.write(parameter_file(task, name))


def parameter_file(task: "Task", name: str) -> str:
    """Return the content of a parameter file, in the format of its suffix."""
    rows = dict(task.parameters)
    rows.update(
        index=task.index,
        count=task.work["total"],
        replicate=task.replicate,
        seed=task.seed,
        seed32=task.seed32,
    )
    return FORMATS[name.split(".", 1)[1]](rows)


def as_json(rows: "dict[str, Any]") -> str:
    """Return a JSON object."""
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def as_yaml(rows: "dict[str, Any]") -> str:
    """Return YAML: JSON scalars are YAML 1.2 scalars."""
    return "".join("%s: %s\n" % (json.dumps(k), json.dumps(v)) for k, v in rows.items())


def as_toml(rows: "dict[str, Any]") -> str:
    """Return TOML; it has no null, so such a parameter is left out."""
    return "".join(
        "%s = %s\n" % (json.dumps(k), json.dumps(v).replace("\x7f", "\\u007f"))
        for k, v in rows.items()
        if v is not None
    )


def as_csv(rows: "dict[str, Any]") -> str:
    """Return a header and one row (RFC 4180)."""
    return ",".join(map(_cell, rows)) + "\r\n" + ",".join(_cell(text(v)) for v in rows.values()) + "\r\n"


def _cell(content: str) -> str:
    if any(c in content for c in ',"\r\n'):
        return '"' + content.replace('"', '""') + '"'
    return content


def as_python(rows: "dict[str, Any]") -> str:
    """Return a module of assignments."""
    names = {"-": "_", ".": "_"}
    return "".join("%s = %r\n" % ("".join(names.get(c, c) for c in k), v) for k, v in rows.items())


def as_r(rows: "dict[str, Any]") -> str:
    """Return R assignments; integers that a double does not hold exactly are text."""
    return "".join("`%s` <- %s\n" % (k.replace("`", ""), _r(v)) for k, v in rows.items())


def _r(value: "Any") -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        if abs(value) < 2**31:
            return "%dL" % value
        return "%d" % value if abs(value) <= 2**53 else '"%d"' % value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "list(" + ", ".join(map(_r, value)) + ")"
    escaped: str = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


FORMATS = {"json": as_json, "yaml": as_yaml, "toml": as_toml, "csv": as_csv, "py": as_python, "R": as_r}
