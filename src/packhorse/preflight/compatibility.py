"""Compare finished tasks with the current project: a table mixes the two only where the user agrees."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.errors import RunError
from packhorse.model.plan import Identity
from packhorse.project.reporter import Reporter
from packhorse.snapshot.changes import FileChange
from packhorse.text.amounts import counted

SHOWN = 5  # changed files in one message

# Why a changed file matters to finished tasks, or why it does not.
Reason = Literal["named", "read", "perhaps", "unread", "new", "byproduct"]
SENTENCES: dict[Reason, str] = {
    "named": "the command names it",
    "read": "finished tasks read it",
    "perhaps": "finished tasks may have read it",
}


class JudgedChange(Struct, frozen=True, kw_only=True):
    """A changed file, whether finished tasks can have used it, and the first rows of its diff.

    `mends` is whether tasks that failed may succeed with it.
    """

    change: FileChange
    reason: Reason
    mends: bool
    diff: tuple[str, ...] = ()

    @property
    def matters(self) -> bool:
        """Whether finished tasks can have used the file."""
        return self.reason in SENTENCES

    def lines(self) -> list[str]:
        """Return why the file matters, and its diff."""
        return [f"  {self.change}: {SENTENCES[self.reason]}", *(f"    {row}" for row in self.diff)]


class CodeChange(Struct, frozen=True, kw_only=True):
    """How the code of the newest wave differs from the project now.

    `keys` are those of the study that differ and determine results; `unknown` that the old snapshot is not here.
    """

    files: tuple[JudgedChange, ...] = ()
    keys: tuple[str, ...] = ()
    unknown: bool = False

    @property
    def matters(self) -> bool:
        """Whether results of finished tasks may depend on what changed."""
        return bool(self.keys) or self.unknown or any(file.matters for file in self.files)

    @property
    def can_mend(self) -> bool:
        """Whether failed tasks may succeed now."""
        return bool(self.keys) or self.unknown or any(file.mends for file in self.files)


class Changes(Struct, frozen=True, kw_only=True):
    """Identity of the `done` finished tasks and of the `missing` ones, `failed` of which failed before.

    `seeds` are the keys of the study's seeding that changed; `command` continues the run.
    """

    before: Identity
    now: Identity
    seeds: tuple[str, ...]
    done: int
    missing: int
    command: str
    code: CodeChange = CodeChange()
    failed: int = 0

    def settled(self, *, keep: bool, old_code: bool, reporter: Reporter) -> Identity:
        """Return the identity of the next wave; raise RunError where results of two identities would mix."""
        chosen = replace(self.now, code=self.before.code) if old_code else self.now
        changed = [
            name
            for name in ("code", "environment", "data")
            if getattr(self.before, name) != getattr(chosen, name) and (name != "code" or self.code.matters)
        ]
        changed += self.seeds
        if keep or not changed:
            return chosen
        what = " and ".join(self._named(changed))
        if not self.missing:
            reporter.warn(
                f"the {what} changed after these results were computed; to run all tasks again: --fresh"
            )
            return self.before
        tasks = counted(self.done, "task")
        which = f" ({self._files()})" if "code" in changed and self._files() else ""
        message = f"the {what} changed after {tasks} finished{which}"
        if "code" in changed:
            shown = [line for file in self._used()[:SHOWN] for line in file.lines()]
            message = "\n".join([message, *shown])
        raise RunError(message, "\n".join(self._ways(changed)))

    def _named(self, changed: list[str]) -> list[str]:
        """Return the words for what changed: the keys of the study by their names, apart from the code."""
        code = ["code"] if self._used() or self.code.unknown or not self.code.keys else []
        return [word for name in changed for word in ([*code, *self.code.keys] if name == "code" else [name])]

    def _used(self) -> list[JudgedChange]:
        return [file for file in self.code.files if file.matters]

    def _files(self) -> str:
        names = [str(file.change) for file in self._used()]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return ", ".join(names[:SHOWN]) + more

    def _ways(self, changed: list[str]) -> list[str]:
        others = f"the other {self.missing}"
        if self.failed == self.missing:
            others = f"the {self.failed} that failed"
        ways = [("--keep", f"keep the {self.done} finished tasks, run {others} with the current project")]
        # With the old code, those that failed with it would only fail again.
        unfinished = f"run the other {self.missing - self.failed}"
        if changed == ["code"] and self.missing > self.failed:
            ways.append(("--old-code", f"{unfinished} with the code of the finished tasks"))
        elif "code" in changed and self.missing > self.failed:
            text = f"{unfinished} with the old code, and everything else as it is now"
            ways.append(("--old-code --keep", text))
        if self.failed:
            ways.append(("--failed=keep", f"leave the {self.failed} that failed as they are"))
        ways.append(("--fresh", "run all tasks again"))
        return [f"{self.command} {options:<13} {text}" for options, text in ways]
