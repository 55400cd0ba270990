"""Run the rules over a file, leave out what is silenced, and make the fixes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from msgspec import Meta, Struct

from packhorse.jobscript.lines import Edit, Line, apply_edits, split_lines
from packhorse.lint.rule import RULES, Kind, Rule, Severity
from packhorse.lint.rules import __all__ as _subjects

assert _subjects, "importing the package of rules registers them"

_SILENCE = re.compile(r"packhorse: ignore(-file)?\b[: ]*([A-Z]\d+(?:[, ]+[A-Z]\d+)*)?")
ALL = "ALL"
UNREADABLE = "J00"  # no rule: the file could not be read as a script


class Finding(Struct, frozen=True, kw_only=True):
    """A place in a file that breaks a rule."""

    rule: Annotated[str, Meta(description="The rule's id: packhorse lint --explain ID.")]
    severity: Annotated[
        Severity, Meta(description="error: it fails; warning: it is probably wrong; hint: advice.")
    ]
    path: Annotated[str, Meta(description="The file.")]
    line: Annotated[int, Meta(description="Its line, from 1.")]
    column: Annotated[int, Meta(description="Its column, from 1.")]
    message: Annotated[str, Meta(description="What is wrong.")]
    advice: Annotated[str, Meta(description="What to write instead; may be empty.")] = ""
    fix: Annotated[
        tuple[Edit, ...] | None, Meta(description="The edits of --fix; null: it has no safe fix.")
    ] = None


class Selection(Struct, frozen=True, kw_only=True):
    """Which rules run: ids or their beginnings."""

    select: tuple[str, ...] = ()  # empty: all that are not optional
    ignore: tuple[str, ...] = ()

    def has(self, rule: Rule) -> bool:
        """Return whether a rule runs."""
        if any(rule.id.startswith(part) for part in self.ignore):
            return False
        if not self.select:
            return not rule.optional
        return any(part == ALL or rule.id.startswith(part) for part in self.select)


def check(
    kind: Kind, subject: Any, lines: tuple[Line, ...], path: str, selection: Selection
) -> list[Finding]:
    """Return the findings of the rules of one kind in a file, in the order of its lines."""
    silenced = _silenced(lines)
    found = []
    for rule in RULES.values():
        if rule.kind != kind or not selection.has(rule):
            continue
        for note in rule.check(subject):
            if {rule.id, ALL} & (silenced.get(note.line, set()) | silenced.get(0, set())):
                continue
            found.append(
                Finding(
                    rule=rule.id,
                    severity=note.severity or rule.severity,
                    path=path,
                    line=note.line,
                    column=note.column + 1,
                    message=note.message,
                    advice=note.advice,
                    fix=note.edits or None,
                )
            )
    return sorted(found, key=lambda one: (one.line, one.column, one.rule))


def _silenced(lines: Iterable[Line]) -> dict[int, set[str]]:
    """Return the rules that comments silence, by line; line 0 is the whole file.

    A comment on a line of its own counts for the next line, since directives of PBS take no comments.
    """
    found: dict[int, set[str]] = {}
    for line in lines:
        if "packhorse: ignore" not in line.text or not (match := _SILENCE.search(line.text)):
            continue
        ids = set(re.findall(r"[A-Z]\d+", match[2] or "")) or {ALL}
        alone = re.match(r"\s*#\s*packhorse:", line.text)
        at = 0 if match[1] else line.number + 1 if alone else line.number
        found.setdefault(at, set()).update(ids)
    return found


def fixed(text: str, findings: Iterable[Finding]) -> str:
    """Return a text with the fixes of findings made, those of whole lines last so that each finds its place."""
    edits = [edit for finding in findings for edit in finding.fix or ()]
    whole = {edit.line for edit in edits if edit.whole}
    narrow = [edit for edit in edits if not edit.whole and edit.line not in whole]
    if narrow:
        return apply_edits(split_lines(text), narrow)
    first: dict[int, Edit] = {}
    for edit in edits:
        first.setdefault(edit.line, edit)
    return apply_edits(split_lines(text), first.values())


def fix_all(text: str, look: Callable[[str], list[Finding]]) -> tuple[str, list[Finding]]:
    """Fix a text until nothing more can be fixed; return it with the findings that are left."""
    findings = look(text)
    for _ in range(8):  # one fix may make room for another
        if not any(finding.fix for finding in findings):
            break
        better = fixed(text, _independent(findings))
        if better == text:
            break
        text, findings = better, look(better)
    return text, findings


def _independent(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the fixes that can be made in one step: those of one rule, or those within lines."""
    rules = [one for one in findings if one.fix]
    narrow = [one for one in rules if not any(edit.whole for edit in one.fix or ())]
    if narrow:
        yield from narrow
        return
    yield from (one for one in rules if one.rule == rules[0].rule)
