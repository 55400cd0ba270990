"""Why a job waits on OpenPBS, in plain words. The server says who holds it; the rest is the scheduler's own comment."""

from __future__ import annotations

from typing import Literal

PLAIN = {
    "": "the scheduler has not looked at it yet",
    "array began": "the first jobs of its array run, and more start as there is room",
    "W": "its earliest start has not come",
    "T": "it is on its way to another server",
    "U": "the owner of the machine is at work",
    "H": "it is held",
    # qhold(1B), and qstat(1B) on Hold_Types.
    "held u": "it is held",
    "held o": "an operator holds it",
    "held s": "it waits for another job to end",
    "held p": "a password is missing or wrong",
}
RELEASE = "qrls 'JOB' lets it start"
STAFF = "the site's staff can say why; packhorse cancel RUN gives it up"
CANCEL = "packhorse cancel RUN, correct what it asks for, and run it again"
NEVER = "Can Never Run"


def plain(word: str) -> str:
    """Return a reason in plain words. A hold of several kinds lasts as long as the first in this order."""
    for kind in "opus":
        if word.startswith("held ") and kind in word.removeprefix("held "):
            return PLAIN[f"held {kind}"]
    return PLAIN.get(word, word)


def waits(word: str) -> Literal["waiting", "held", "dependent"]:
    """Return whether a job waits for its turn, is held, or waits for another job."""
    holds = word.removeprefix("held ") if word.startswith("held ") else ""
    if word == "H" or set(holds) & set("uop"):
        return "held"
    return "dependent" if "s" in holds else "waiting"


def stuck(word: str) -> str:
    """Return what ends a wait that never ends by itself, or nothing: the wait may end."""
    if word.startswith(NEVER):
        return CANCEL
    holds = word.removeprefix("held ") if word.startswith("held ") else ""
    if "o" in holds or "p" in holds:
        return STAFF
    return RELEASE if "u" in holds or word == "H" else ""
