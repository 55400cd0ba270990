"""Make a study from one command line and parameter lists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from packhorse.model.errors import UsageError
from packhorse.project.run_name import plain_name
from packhorse.project.source import Source, from_file, from_mapping
from packhorse.study.write import map_study, study_text
from packhorse.text.node import plain
from packhorse.text.yaml import parse_yaml


def map_source(
    template: str, assignments: tuple[str, ...], save: Path | None, keys: dict[str, Any], here: Path
) -> Source:
    """Return the study of a `map` command line; write it to the file `save` where one is given.

    Raises UsageError where that file exists.
    """
    result = keys.get("result")
    if isinstance(result, str) and re.match(r"\{\s*file\s*:", result):  # as it is written in a study
        keys = keys | {"result": plain(parse_yaml(result, "--result"))}
    study = map_study(template, assignments, **keys)
    if save is None:
        study.setdefault("name", plain_name(_script_of(template)))
        return from_mapping(study, here)
    if save.exists():
        raise UsageError(
            f"{save} exists", f"choose another file with --save, or: packhorse run {shlex.quote(str(save))}"
        )
    save.write_text(study_text(study), encoding="utf-8")
    return from_file(save)


def _script_of(template: str) -> str:
    """Return the name of the script in a command: its first part with a suffix, else its first part."""
    parts = template.split()
    scripts = [part for part in parts if re.search(r"\.\w+$", part) and "{" not in part]
    if scripts:
        return Path(scripts[0]).stem
    return Path(parts[0]).name if parts else "map"
