"""The meaning of a scheduler's error messages: plain text, and whether to try again; tables are in the dialects."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from packhorse.model.command import Answer
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted

# never: the request itself is wrong. later: it may be accepted another time. lost: it may have been accepted.
Verdict = Literal["never", "later", "lost"]
LINES = 6  # of a scheduler's messages or those of a site's plugins, shown at most


class Meaning(Struct, frozen=True):
    """The meaning of an error message."""

    text: str  # a regular expression
    plain: str
    verdict: Verdict = "never"
    vague: bool = False  # the lines before it may say more
    size: bool = False  # for its size or time: the same request is never accepted


def final_refusals(meanings: Sequence[Meaning]) -> tuple[str, ...]:
    """Return the patterns of refusals for size or time."""
    return tuple(meaning.text for meaning in meanings if meaning.size)


def submitted(
    answer: Answer, numbers: Sequence[str], why: str, verdict: Verdict
) -> Submitted | SubmissionRefused | SubmissionUnknown:
    """Return the result of a submission that printed `numbers`, and whose failure means `why` and `verdict`."""
    if answer.status == 0 and numbers:
        return Submitted(numbers[-1])
    # A command that prints a number and fails, or succeeds and prints none, may have submitted a job.
    doubtful = bool(numbers) or answer.status == 0
    if answer.status is None:
        doubtful = not answer.stderr.rstrip().endswith("not found")
    if doubtful or verdict == "lost":
        return SubmissionUnknown(why)
    return SubmissionRefused(why, transient=verdict == "later")


def understood(
    answer: Answer, meanings: Sequence[Meaning], error_lines: Callable[[str], list[str]]
) -> tuple[str, Verdict]:
    """Return why a command failed, in plain words followed by the scheduler's own, and whether to try again.

    `error_lines` returns the lines of a text that are the scheduler's error message.
    """
    lines = error_lines(answer.stderr)
    if not lines and answer.status is not None:
        lines = error_lines(answer.stdout)
    message = "; ".join(lines[-LINES:])
    meaning = _meaning(lines, meanings)
    if meaning is not None:
        return f"{meaning.plain} ({message})", meaning.verdict
    if answer.status is None:
        return message or "the command timed out", "lost"
    return message or f"the command exited with status {answer.status} and no message", "never"


def _meaning(lines: list[str], meanings: Sequence[Meaning]) -> Meaning | None:
    """Return the meaning of the last line, or, if it is vague or unknown, of all lines together."""
    for text, vague in ((lines[-1] if lines else "", False), ("\n".join(lines), True)):
        for meaning in meanings:
            if re.search(meaning.text, text, re.MULTILINE) and (vague or not meaning.vague):
                return meaning
    return None
