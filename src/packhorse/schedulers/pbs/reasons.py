"""Why a job waits on TORQUE or OpenPBS: the holds of qstat(1B), and the scheduler's own comments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

HELD = "held "  # how a reason begins that names the kinds of a hold: `held us`
# What ends a wait that lasts until a user acts. JOB is the job's number, RUN what commands call its run.
RELEASE = "qrls 'JOB' releases it"
STAFF = "the site's staff can say why; packhorse cancel RUN removes it"
CANCEL = "packhorse cancel RUN, correct what it asks for, and run it again"

COMMON_REASONS = {
    "": "the scheduler has not considered it yet",
    "W": "its earliest start time has not been reached",
    "T": "it is being moved to another server",
    "H": "it is held",
    # qhold(1B), and qstat(1B) on Hold_Types.
    "held u": "it is held",
    "held o": "an operator holds it",
    "held s": "it waits for another job to end",
}


class WaitReasons(Struct, frozen=True, kw_only=True):
    """The reasons of one scheduler. Letters are those of Hold_Types."""

    texts: Mapping[str, str]
    order: str  # of a hold of several kinds, the one that lasts longest comes first
    staff: str  # holds that only the site's staff can release
    never: str = ""  # the beginning of a comment on a job that can never start

    def explain(self, reason: str) -> str:
        """Return a reason in plain words; a comment of the scheduler is returned as it is."""
        kinds = _kinds(reason)
        for kind in self.order:
            if kind in kinds:
                return self.texts[f"{HELD}{kind}"]
        return self.texts.get(reason, reason)

    def wait_kind(self, reason: str) -> Literal["waiting", "held", "dependent"]:
        """Return whether a job waits for its turn, is held, or waits for another job."""
        kinds = _kinds(reason)
        if reason == "H" or set(kinds) & {"u", *self.staff}:
            return "held"
        return "dependent" if "s" in kinds else "waiting"

    def never_starts(self, reason: str) -> bool:
        """Return whether the scheduler says of a job that it can never start."""
        return bool(self.never) and reason.startswith(self.never)

    def remedy(self, reason: str) -> str:
        """Return what ends a wait that lasts until a user acts; "" where it may end by itself."""
        if self.never_starts(reason):
            return CANCEL
        kinds = _kinds(reason)
        if set(kinds) & set(self.staff):
            return STAFF
        return RELEASE if "u" in kinds or reason == "H" else ""


def _kinds(reason: str) -> str:
    return reason.removeprefix(HELD) if reason.startswith(HELD) else ""
