"""Old results and what is here now: no table mixes the two unless the user says so."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.errors import RunError
from packhorse.model.plan import Identity
from packhorse.project.reporter import Reporter

SHOWN = 5  # changed files that are named


class Changes(Struct, frozen=True, kw_only=True):
    """What finished tasks were made with, what the next ones would be, and how many of each there are.

    `seeds` names what of the study's seeding changed; `files` are the changed ones of the code; `command`
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
        """Return the identity of the next wave; raise RunError where results of two kinds would mix."""
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
            reporter.warn(f"the {what} changed since these results were made; --fresh runs all again")
            return self.before
        tasks = "1 task" if self.done == 1 else f"{self.done} tasks"
        which = f" ({self._files()})" if "code" in changed and self.files else ""
        raise RunError(f"the {what} changed since {tasks} finished{which}", "\n".join(self._ways(changed)))

    def _files(self) -> str:
        more = f" and {len(self.files) - SHOWN} more" if len(self.files) > SHOWN else ""
        return ", ".join(self.files[:SHOWN]) + more

    def _ways(self, changed: list[str]) -> list[str]:
        rest = f"run the other {self.missing}"
        ways = [
            f"{self.command} --keep      keep the {self.done} finished tasks, {rest} with what is here now"
        ]
        if changed == ["code"]:
            ways.append(f"{self.command} --old-code  {rest} with the code of the finished tasks")
        elif "code" in changed:
            ways.append(
                f"{self.command} --old-code --keep  {rest} with the old code, and all else as it is now"
            )
        ways.append(f"{self.command} --fresh     run all again")
        if "code" in changed and any(one.endswith(" is new") for one in self.files):
            ways.append("a file that is no code stays out with `code: [your_script.py]` in the study")
        return ways
