"""What it means when a scheduler's command fails: in plain words, and whether asking again later can help."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from packhorse.model.command import Answer
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted

# never: the request itself is wrong. later: the request may be taken another time. lost: it may have been taken.
Verdict = Literal["never", "later", "lost"]
LINES = 6  # of what a scheduler or a site's plugins said, as many as a person would read


class Meaning(Struct, frozen=True):
    """What a text of a scheduler's means."""

    text: str  # a regular expression
    plain: str
    verdict: Verdict = "never"
    vague: bool = False  # the lines before it may say more


def submitted(
    answer: Answer, numbers: Sequence[str], why: str, verdict: Verdict
) -> Submitted | SubmissionRefused | SubmissionUnknown:
    """Return what became of a submission that printed `numbers`, and whose failure means `why` and `verdict`."""
    if answer.status == 0 and numbers:
        return Submitted(numbers[-1])
    # What prints a number and fails, or succeeds and prints none, may have a job in the queue.
    doubtful = bool(numbers) or answer.status == 0
    if answer.status is None:
        doubtful = not answer.stderr.rstrip().endswith("not found")
    if doubtful or verdict == "lost":
        return SubmissionUnknown(why)
    return SubmissionRefused(why, transient=verdict == "later")


def understood(
    answer: Answer, meanings: Sequence[Meaning], own_words: Callable[[str], list[str]]
) -> tuple[str, Verdict]:
    """Return why a command failed, in plain words with the scheduler's own behind them, and what that means.

    `own_words` returns the lines of a text that the scheduler itself said.
    """
    lines = own_words(answer.stderr)
    if not lines and answer.status is not None:
        lines = own_words(answer.stdout)
    own = "; ".join(lines[-LINES:])
    meaning = _meaning(lines, meanings)
    if meaning is not None:
        return f"{meaning.plain} ({own})", meaning.verdict
    if answer.status is None:
        return own or "the command did not end in time", "lost"
    return own or f"the command ended with status {answer.status} and said nothing", "never"


def _meaning(lines: list[str], meanings: Sequence[Meaning]) -> Meaning | None:
    """Return what the last line means, or, where it is vague or unknown, what all lines together mean."""
    for text, vague in ((lines[-1] if lines else "", False), ("\n".join(lines), True)):
        for meaning in meanings:
            if re.search(meaning.text, text, re.MULTILINE) and (vague or not meaning.vague):
                return meaning
    return None
