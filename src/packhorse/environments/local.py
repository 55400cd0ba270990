"""The environment of tasks on this machine: interpreter, programs, variables."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from packhorse.model.study import Study
from packhorse.project.cache_dir import cache_dir
from packhorse.project.source import Source
from packhorse.record import provenance
from packhorse.record.provenance import Languages
from packhorse.runtime.interpreter import Interpreter, resolve
from packhorse.runtime.programs import Program, resolve_command
from packhorse.snapshot.import_roots import editable_folders

PYTHONS = ("python", "pypy")


class LocalTaskEnvironment:
    """Interpreter, programs and variables of this machine."""

    notes: tuple[str, ...] = ()
    path: tuple[str, ...] = ()  # PATH is among the variables already

    def __init__(self, source: Source, environ: Mapping[str, str] | None = None) -> None:
        self.source, self.study = source, source.study
        self.base = dict(os.environ if environ is None else environ)
        self.interpreter: Interpreter = resolve(self.study.environment, source.folder, env=self.base)
        self.environ = self.interpreter.environ(self.base)
        self.environ.update((name, value) for name, value in self.study.env.items() if value is not None)

    def program(self, command: tuple[str, ...]) -> Program:
        """Return a command whose first word is resolved."""
        return resolve_command(command, self.interpreter, self.source.start, env=self.base)

    def changed(self) -> dict[str, str]:
        """Return the variables that tasks have beside what they inherit."""
        return {name: value for name, value in self.environ.items() if self.base.get(name) != value}

    def unset(self) -> tuple[str, ...]:
        """Return the variables that tasks do not inherit."""
        return tuple(sorted(set(self.base) - set(self.environ)))

    def editable(self, argv: tuple[str, ...]) -> Sequence[str]:
        """Return the folders of the project that the interpreter imports from by an editable installation."""
        if not languages(self.study, self.interpreter, argv).python:
            return []
        return editable_folders(self.interpreter.python, self.source.root)

    def provenance(self, argv: tuple[str, ...], data: Mapping[str, Any]) -> dict[str, Any]:
        """Return the provenance."""
        return provenance.collect(
            self.study,
            self.source.root,
            self.source.folder,
            languages=languages(self.study, self.interpreter, argv),
            env=self.environ,
            cache=cache_dir(),
            data=data,
        )


def languages(study: Study, interpreter: Interpreter, argv: tuple[str, ...]) -> Languages:
    """Return the interpreters that take part in a study, as the provenance records them."""
    name = Path(argv[0]).name
    if study.function or name.startswith(PYTHONS):
        return Languages(python=interpreter.python if study.function else argv[0])
    if study.shell:
        # A shell line may start anything: Python and R take part where it names them.
        return Languages(program="/bin/sh", python=interpreter.python if "python" in study.shell else "")
    if name in ("Rscript", "R"):
        return Languages(rscript=argv[0])
    return Languages(program=argv[0] if argv[0].startswith("/") else "")
