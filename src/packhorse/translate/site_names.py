"""The names that a site gives: partitions, accounts, modules. What a script says for another site is replaced."""

from __future__ import annotations

import re

from msgspec.structs import replace

from packhorse.jobscript.lines import Edit
from packhorse.jobscript.shell import Shell
from packhorse.model.job import Request
from packhorse.model.site import Site
from packhorse.plan.job_limits import place_job
from packhorse.translate.request import Item, Note

_LOADS = {"load", "add", "switch", "swap"}


class SiteNames:
    """The names of a site for one script."""

    def __init__(self, site: Site, request: Request, account: str = "") -> None:
        """Take the site, what the script asks for, and the user's account there."""
        self.site, self.request, self.account = site, request, account

    def partition(self) -> str:
        """Return the partition of the site that the job goes to, by its size; empty where none is known to fit."""
        choice = place_job(replace(self.request, partition="", account=self.account or "any"), self.site)
        return choice.partition.name if choice.partition else ""

    def item(self, item: Item) -> tuple[Item | None, list[Note]]:
        """Return an item with the site's name, and what to know of it; None: leave it out."""
        if item.kind == "queue":
            return self._queue(item)
        if item.kind == "account":
            if self.account and self.account != item.value:
                text = f"account {item.value} became {self.account}"
                return replace(item, value=self.account), [Note(item.line, "site", text)]
            text = f"is {item.value} your account at {self.site.name}? If not: --account NAME"
            return item, [] if self.account else [Note(item.line, "site", text)]
        return item, []

    def _queue(self, item: Item) -> tuple[Item | None, list[Note]]:
        name = self.site.name
        if not self.site.partitions or self.site.partition(item.value):
            return item, []
        chosen = self.partition()
        if not chosen:
            text = f"{name} has no partition {item.value}, and none is known to fit: packhorse queues {name}"
            return item, [Note(item.line, "site", text)]
        text = f"{name} has no partition {item.value}; {chosen} fits"
        return replace(item, value=chosen), [Note(item.line, "site", text)]

    def limits(self, request: Request) -> list[Note]:
        """Return why the site does not accept the translated script."""
        choice = place_job(request, self.site)
        return [
            Note(1, "site", "; ".join(filter(None, [reason.text, reason.advice])))
            for reason in choice.reasons
        ]

    def modules(self, shell: Shell) -> tuple[list[Edit], list[Note]]:
        """Return edits that load the site's modules, and notes on those that it is not known to have."""
        edits, notes = [], []
        for command in shell.commands:
            words = command.words
            if command.name == "module" and len(words) > 1 and words[1].text in _LOADS:
                named = words[2:]
            elif (
                command.name == "ml"
                and len(words) > 1
                and words[1].text not in {"purge", "list", "use", "avail"}
            ):
                named = words[1:]
            else:
                continue
            for word in named:
                if word.literal is None or word.text.startswith("-"):
                    continue
                new = self._module(word.text)
                if new is None:
                    name = self.site.name
                    text = f"module {word.text} is not among those known at {name}: packhorse modules {name}"
                    notes.append(Note(word.line, "site", text))
                elif new != word.text:
                    edits.append(Edit(word.line, word.start, word.end, new))
                    notes.append(Note(word.line, "site", f"module {word.text} became {new}"))
        return edits, notes

    def _module(self, name: str) -> str | None:
        known = self.site.modules
        names = [one for one in (*known.known, *known.loaded, known.python, known.r) if one]
        if not names or name in names:
            return name
        base = name.partition("/")[0].lower()
        if base in {"r", "r-bundle-cran", "rstudio"} and known.r:
            return known.r
        if re.fullmatch(r"(python|scipy-bundle)[\d.]*", base) and known.python:
            return known.python
        same = [one for one in names if one.partition("/")[0].lower() == base]
        if any("/" not in one for one in same):
            return next(one for one in same if "/" not in one)
        return max(same, key=_version) if same else None


def _version(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name.partition("/")[2])]
