"""Proof that a study with named parameters starts what the script starts, with the same arguments for every index."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from packhorse.adopt.named import TaskCommand
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.study.template import compile_word, show


def difference(study: Study, tasks: Sequence[TaskCommand]) -> str:
    """Return how a study differs from the commands of a script, as a clause; empty where every task is the same."""
    space = ParameterSpace.of(study)
    if space.size != len(tasks):
        return f"it has {space.size} tasks instead of {len(tasks)}"
    line = [study.shell] if study.shell else list(study.command)
    names = space.names
    compiled = [compile_word(word, names) for word in line]
    for index, task in enumerate(tasks):
        values, texts = space[index], space.texts(index)
        quote = shlex.quote if study.shell else str
        shown = [
            "".join(part if isinstance(part, str) else quote(_text(part, values, texts)) for part in parts)
            for parts in compiled
        ]
        made, exported, argv = _split(shown[0]) if study.shell else ((), {}, tuple(shown))
        exported = {**{name: value or "" for name, value in study.env.items()}, **exported}
        if argv != task.argv:
            return f"task {index} would start {shlex.join(argv)} instead of {shlex.join(task.argv)}"
        if any(exported.get(name) != value for name, value in task.exported.items()):
            return f"task {index} would have other variables"
        if set(made) < set(task.folders):
            return f"task {index} would not make {', '.join(task.folders)}"
    return ""


def _text(part: dict[str, Any], values: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    name = part["name"]
    return show(part, values[name]) if part.get("spec") else texts[name]


def _split(line: str) -> tuple[tuple[str, ...], dict[str, str], tuple[str, ...]]:
    """Return the folders, the variables and the arguments of a line `mkdir -p A && B=1 program ...`."""
    words, made = shlex.split(line), tuple[str, ...]()
    if words[:2] == ["mkdir", "-p"] and "&&" in words:
        at = words.index("&&")
        made, words = tuple(words[2:at]), words[at + 1 :]
    exported: dict[str, str] = {}
    while words and (match := re.match(r"([A-Za-z_]\w*)=(.*)", words[0], re.DOTALL)):
        exported[match[1]] = match[2]
        words = words[1:]
    return made, exported, tuple(words)
