"""What changed since the newest wave of a run, and which failed tasks may succeed now."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from pathlib import PurePosixPath

import msgspec
from msgspec import Struct

from packhorse.model.plan import Identity, Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.plan.waves import IndexRange
from packhorse.preflight.compatibility import SENTENCES, CodeChange, JudgedChange, Reason
from packhorse.results.fold import Fold, to_ranges
from packhorse.rundata.outcomes import frozen_study
from packhorse.rundir.directory import RunDirectory
from packhorse.snapshot.changes import FileChange, file_changes, short_diff
from packhorse.snapshot.code import SnapshotFile
from packhorse.snapshot.kinds import is_byproduct, may_be_input
from packhorse.text.amounts import counted

UNSUCCESSFUL = ("FAILED", "TIMEOUT", "MEMORY")


class ProjectNow(Struct, frozen=True, kw_only=True):
    """A study and its project as they are now; `folder` is the study's, relative to the root of the snapshot.

    `files` are those of the snapshot, `code` those of them that determine results.
    """

    study: Study
    space: ParameterSpace
    folder: str
    files: tuple[SnapshotFile, ...]
    code: list[SnapshotFile]
    command: str
    identity: Identity


def code_change(run: RunDirectory, latest: Plan, fold: Fold, now: ProjectNow) -> CodeChange:
    """Compare the snapshot of the newest wave with the project as it is now."""
    if latest.code == now.identity.code:
        return CodeChange()
    tar = run.path / f"code-{latest.code}.tar"
    if not tar.exists():
        return CodeChange(unknown=True)
    changes = file_changes(tar, now.files, now.code)
    names = _Names(command=now.command, levels=msgspec.json.encode(now.space.frozen).decode())
    finished, failed = _read_by(fold, "OK"), _read_by(fold, *UNSUCCESSFUL)
    outputs = _output_patterns(now)
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
    return CodeChange(files=tuple(judged), keys=_changed_keys(run, now))


def mended_sentence(tasks: int) -> str:
    """Return what a user must know of failed tasks that run again."""
    return (
        f"{counted(tasks, 'task')} that failed with other code, environment or data will run again"
        " (to leave them as they are: --failed=keep)"
    )


def _output_patterns(now: ProjectNow) -> list[str]:
    """Return patterns of the paths of result files, which are removed before a task starts."""
    result = now.study.result
    files = [file for file in (result.file, *(more.file for more in result.more)) if file]
    return [posixpath.normpath(posixpath.join(now.folder, re.sub(r"\{[^}]*\}", "*", file))) for file in files]


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


def _changed_keys(run: RunDirectory, now: ProjectNow) -> tuple[str, ...]:
    """Return the keys that say what tasks do, and differ from when the newest wave was planned."""
    try:
        old = frozen_study(run)
    except (OSError, msgspec.MsgspecError):
        return ("command",)
    same_program = (old.command, old.shell) == (now.study.command, now.study.shell)
    keys = [
        name for name in ("function", "directory", "result") if getattr(old, name) != getattr(now.study, name)
    ]
    return (*(() if same_program else ("command",)), *keys)


def mended(
    run: RunDirectory, latest: Plan, fold: Fold, change: CodeChange, wanted: Identity
) -> list[IndexRange]:
    """Return the failed tasks whose code, environment or data is not `wanted`, that of the next wave."""
    data = {plan.wave: plan.data for plan in run.plans()}
    # Snapshots whose tasks would fail again in the same way.
    same = {wanted.code} if change.can_mend else {wanted.code, latest.code, *latest.same_code}
    indices: list[int] = []
    for journal, tasks, _ in fold.winners(*UNSUCCESSFUL):
        header = journal.header
        if header is not None and tasks:
            equal = header.code in same and header.environment == wanted.environment
            if not equal or data.get(header.wave, wanted.data) != wanted.data:
                indices.extend(tasks)
    return to_ranges(sorted(indices))
