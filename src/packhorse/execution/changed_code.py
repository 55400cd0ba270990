"""What changed since the newest wave of a run, and which failed tasks may succeed now."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from pathlib import PurePosixPath

import msgspec
from msgspec import Struct

from packhorse.execution.preparation import command_text, project_code_files
from packhorse.execution.run_context import RunContext
from packhorse.model.plan import Plan
from packhorse.plan.waves import IndexRange
from packhorse.preflight.compatibility import SENTENCES, CodeChange, JudgedChange, Reason
from packhorse.results.fold import Fold, to_ranges
from packhorse.rundata.outcomes import frozen_study
from packhorse.snapshot.changes import FileChange, file_changes, short_diff
from packhorse.snapshot.kinds import is_byproduct, may_be_input

UNSUCCESSFUL = ("FAILED", "TIMEOUT", "MEMORY")


def code_change(context: RunContext, latest: Plan, fold: Fold) -> CodeChange:
    """Compare the snapshot of the newest wave with the project as it is now."""
    if latest.code == context.prepared.identity.code:
        return CodeChange()
    tar = context.run.path / f"code-{latest.code}.tar"
    if not tar.exists():
        return CodeChange(unknown=True)
    files = context.prepared.files
    changes = file_changes(tar, files, project_code_files(context.source, files))
    names = _Names(
        command=command_text(context.study), levels=msgspec.json.encode(context.space.frozen).decode()
    )
    finished, failed = _read_by(fold, "OK"), _read_by(fold, *UNSUCCESSFUL)
    outputs = _output_patterns(context)
    judged: list[JudgedChange] = []
    for change in changes:
        if any(fnmatch.fnmatchcase(change.path, pattern) for pattern in outputs):
            reason: Reason = "byproduct"
            mends = False
        else:
            reason = _reason(change, names, finished)
            # A new file may be what they lacked.
            mends = reason == "new" or _reason(change, names, failed) in SENTENCES
        diff = tuple(short_diff(tar, change)) if reason in SENTENCES else ()
        judged.append(JudgedChange(change=change, reason=reason, mends=mends, diff=diff))
    return CodeChange(files=tuple(judged), command=_command_changed(context))


def _output_patterns(context: RunContext) -> list[str]:
    """Return patterns of the paths of result files, which are removed before a task starts."""
    folder = context.source.folder.relative_to(context.source.root).as_posix()
    result = context.study.result
    files = [file for file in (result.file, *(more.file for more in result.more)) if file]
    return [posixpath.normpath(posixpath.join(folder, re.sub(r"\{[^}]*\}", "*", file))) for file in files]


class _Names(Struct, frozen=True, kw_only=True):
    """The texts in which a study names files."""

    command: str
    levels: str  # of its parameters


def _reason(change: FileChange, names: _Names, read: set[str] | None) -> Reason:
    """Return why a changed file matters, or why it does not."""
    name = PurePosixPath(change.path).name
    if change.how == "new":
        return "byproduct" if is_byproduct(change.path) else "new"
    if name in names.command:
        return "named"
    if read is not None:
        return "read" if change.path in read else "unread"
    return "perhaps" if may_be_input(change.path) or name in names.levels else "byproduct"


def _read_by(fold: Fold, *outcomes: str) -> set[str] | None:
    """Return the files that workers saw read which had tasks with these outcomes; None where one of them could not see."""
    read: set[str] = set()
    for journal, indices, _ in fold.winners(*outcomes):
        if not indices:
            continue
        if journal.read is None:
            return None
        read.update(journal.read)
    return read


def _command_changed(context: RunContext) -> bool:
    """Return whether the command or the kind of result is another one than when the newest wave was planned."""
    try:
        old = frozen_study(context.run)
    except (OSError, msgspec.MsgspecError):
        return True
    return command_text(old) != command_text(context.study) or old.result != context.study.result


def mended(context: RunContext, latest: Plan, fold: Fold, change: CodeChange, code: str) -> list[IndexRange]:
    """Return the failed tasks whose code, environment or data is not that of the next wave, which has `code`."""
    now = context.prepared.identity
    data = {plan.wave: plan.data for plan in context.run.plans()}
    # Snapshots whose tasks would fail again in the same way.
    same = {code} if change.can_mend else {code, latest.code, *latest.same_code}
    indices: list[int] = []
    for journal, tasks, _ in fold.winners(*UNSUCCESSFUL):
        header = journal.header
        if header is not None and tasks:
            equal = header.code in same and header.environment == now.environment
            if not equal or data.get(header.wave, now.data) != now.data:
                indices.extend(tasks)
    return to_ranges(sorted(indices))
