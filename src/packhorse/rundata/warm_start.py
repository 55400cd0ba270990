"""Whether the tasks of a run start warm, as the trial with its first task found out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from packhorse.rundir.directory import RunDirectory
from packhorse.text.amounts import counted
from packhorse.worker.warm.facts import facts_file
from packhorse.worker.work_file import with_directory


class WarmStart(Struct, frozen=True, kw_only=True):
    """What the trial with a task found out: cold and warm starts of it were compared."""

    warm: Annotated[bool, Meta(description="Whether tasks start as forks of a warm process.")]
    why: Annotated[str, Meta(description="Why not; empty where they do.")] = ""
    language: Annotated[str, Meta(description="Python or R.")] = "Python"
    modules: Annotated[
        tuple[str, ...],
        Meta(
            description="Modules that a warm process imports; for R, packages that it loads, and `PACKAGE::OBJECT`"
            " for each object that it reads from the files of a package."
        ),
    ] = ()
    left_out: Annotated[
        dict[str, str], Meta(description="Packages that it does not load, with the reasons.")
    ] = {}

    @property
    def sentence(self) -> str:
        """How tasks start, without a full stop."""
        if not self.warm:
            return f"tasks start cold: {self.why}"
        loaded = "imported " + counted(len(self.modules), "module")
        if self.language == "R":
            loaded = "loaded " + counted(sum("::" not in name for name in self.modules), "package")
        text = f"tasks start warm, in forks of a process that has {loaded}"
        if self.left_out:
            text += " without " + ", ".join(f"{name}, which {why}" for name, why in self.left_out.items())
        return text


def warm_start(run: RunDirectory, wave: int) -> WarmStart | None:
    """Return what is known of warm starts in a wave; None where no trial has ended or none was made."""
    work: dict[str, Any] = run.work(wave)
    if work.get("function"):
        return None
    try:
        content = Path(facts_file(with_directory(work, str(run.path)))).read_bytes()
        return msgspec.json.decode(content, type=WarmStart)
    except (OSError, msgspec.MsgspecError):
        return None
