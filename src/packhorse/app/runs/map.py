"""Make a study from one command line and parameter lists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from packhorse.model.errors import UsageError
from packhorse.project.run_name import plain_name
from packhorse.project.source import Source, from_mapping


def map_source(
    template: str, assignments: tuple[str, ...], save: Path | None, keys: dict[str, Any], here: Path
) -> Source:
    """Return the study of a `map` line; write it to a file where the user wants to keep it."""
    from packhorse.study.write import map_study

    said = map_study(template, assignments, **keys)
    if save is None:
        said.setdefault("name", plain_name(_script_of(template)))
        return from_mapping(said, here)
    from packhorse.project.source import from_file
    from packhorse.study.write import study_text

    if save.exists():
        raise UsageError(f"{save} exists", "choose another name with --save, or: packhorse run " + str(save))
    save.write_text(study_text(said), encoding="utf-8")
    return from_file(save)


def _script_of(template: str) -> str:
    words = [word for word in template.split() if re.search(r"\.\w+$", word) and "{" not in word]
    return (
        Path(words[0]).stem
        if words
        else Path(template.split(maxsplit=1)[0]).name
        if template.split()
        else "map"
    )
