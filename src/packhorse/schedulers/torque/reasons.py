"""Why a job waits on TORQUE, in plain words. The server says who holds it; the rest is the scheduler's own comment."""

from __future__ import annotations

from typing import Literal

PLAIN = {
    "": "the scheduler has not looked at it yet",
    "W": "its earliest start has not come",
    "T": "it is on its way to another server",
    "H": "it is held",
    # qstat(1B), Hold_Types; `l` is not documented: the limit of an array's elements that may run.
    "held u": "it is held",
    "held o": "an operator holds it",
    "held s": "it waits for another job to end",
    "held l": "as many elements of its array run as may run at a time",
}
RELEASE = "qrls 'JOB' lets it start"
STAFF = "the site's staff can say why; packhorse cancel RUN gives it up"


def plain(word: str) -> str:
    """Return a reason in plain words. A hold of several kinds lasts as long as the first in this order."""
    for kind in "ousl":
        if word.startswith("held ") and kind in word.removeprefix("held "):
            return PLAIN[f"held {kind}"]
    return PLAIN.get(word, word)


def waits(word: str) -> Literal["waiting", "held", "dependent"]:
    """Return whether a job waits for its turn, is held, or waits for another job."""
    holds = word.removeprefix("held ") if word.startswith("held ") else ""
    if word == "H" or set(holds) & set("uo"):
        return "held"
    return "dependent" if "s" in holds else "waiting"


def stuck(word: str) -> str:
    """Return what ends a wait that never ends by itself, or nothing: the wait may end."""
    holds = word.removeprefix("held ") if word.startswith("held ") else ""
    if "o" in holds:
        return STAFF
    return RELEASE if "u" in holds or word == "H" else ""
