"""Compare finished tasks with the current project: a table mixes the two only where the user agrees."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.errors import RunError
from packhorse.model.plan import Identity
from packhorse.project.reporter import Reporter

SHOWN = 5  # changed files in one message


class Changes(Struct, frozen=True, kw_only=True):
    """Identity of the `done` finished tasks and of the `missing` ones.

    `seeds` are the keys of the study's seeding that changed, `files` the changed files of the code; `command`
    continues the run.
    """

    before: Identity
    now: Identity
    seeds: tuple[str, ...]
    done: int
    missing: int
    command: str
    files: tuple[str, ...] = ()

    def settled(self, *, keep: bool, old_code: bool, reporter: Reporter) -> Identity:
        """Return the identity of the next wave; raise RunError where results of two identities would mix."""
        chosen = replace(self.now, code=self.before.code) if old_code else self.now
        changed = [
            name
            for name in ("code", "environment", "data")
            if getattr(self.before, name) != getattr(chosen, name)
        ]
        changed += self.seeds
        if keep or not changed:
            return chosen
        what = " and ".join(changed)
        if not self.missing:
            reporter.warn(
                f"the {what} changed after these results were computed; to run all tasks again: --fresh"
            )
            return self.before
        tasks = "1 task" if self.done == 1 else f"{self.done} tasks"
        which = f" ({self._files()})" if "code" in changed and self.files else ""
        raise RunError(f"the {what} changed after {tasks} finished{which}", "\n".join(self._ways(changed)))

    def _files(self) -> str:
        more = f" and {len(self.files) - SHOWN} more" if len(self.files) > SHOWN else ""
        return ", ".join(self.files[:SHOWN]) + more

    def _ways(self, changed: list[str]) -> list[str]:
        rest = f"run the other {self.missing}"
        ways = [("--keep", f"keep the {self.done} finished tasks, {rest} with the current project")]
        if changed == ["code"]:
            ways.append(("--old-code", f"{rest} with the code of the finished tasks"))
        elif "code" in changed:
            ways.append(("--old-code --keep", f"{rest} with the old code, and everything else as it is now"))
        ways.append(("--fresh", "run all tasks again"))
        lines = [f"{self.command} {options:<11} {text}" for options, text in ways]
        if "code" in changed and any(name.endswith(" is new") for name in self.files):
            lines.append("to exclude files that are not code, add to the study: code: [your_script.py]")
        return lines
