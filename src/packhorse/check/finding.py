"""The result of a check: what was compared, the statistic, the threshold and its source, a verdict and a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any

from msgspec import Meta, Struct

from packhorse.check.drawing import Picture, draw
from packhorse.model.errors import UsageError


class Verdict(Enum):
    """What a check found. `UNDECIDED` is not a pass: the data cannot decide."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    UNDECIDED = "could not tell"


class Finding(Struct, frozen=True, kw_only=True):
    """The result of one check. A truth value is refused, since `could not tell` is neither true nor false."""

    check: Annotated[str, Meta(description="The name of the check.")]
    compared: Annotated[str, Meta(description="What was compared with what.")]
    verdict: Annotated[Verdict, Meta(description="pass, fail, or could not tell.")]
    sentence: Annotated[str, Meta(description="What was found.")]
    statistic: Annotated[float | None, Meta(description="The value that decided.")] = None
    threshold: Annotated[float | None, Meta(description="Its limit.")] = None
    source: Annotated[str, Meta(description="Where the limit comes from.")] = ""
    details: Annotated[tuple[dict[str, Any], ...], Meta(description="One object for each cell, if any.")] = ()
    picture: Annotated[Picture | None, Meta(description="The points of the drawing, if any.")] = None

    @property
    def passed(self) -> bool:
        """Whether the verdict is a pass."""
        return self.verdict is Verdict.PASS

    @property
    def failed(self) -> bool:
        """Whether the verdict is a failure."""
        return self.verdict is Verdict.FAIL

    def __bool__(self) -> bool:
        raise TypeError("a finding has three verdicts: ask for .passed or .failed")

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.verdict.value}: {self.check}: {self.sentence}"

    def draw(self, axes: Any = None) -> Any:
        """Draw the finding with Matplotlib, into `axes` or into a new figure, and return the axes.

        Raises UsageError where Matplotlib is not installed or there is nothing to draw.
        """
        if self.picture is None:
            raise UsageError(f"the check '{self.check}' has nothing to draw", "print(finding)")
        return draw(self.picture, f"{self.check}: {self.verdict.value}", axes)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return FAIL if any finding failed, else UNDECIDED if any could not tell, else PASS."""
    verdicts = {finding.verdict for finding in findings}
    return next((one for one in (Verdict.FAIL, Verdict.UNDECIDED) if one in verdicts), Verdict.PASS)


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as sentences show it."""
    return "none" if value is None else f"{value:.{digits}g}"
