"""The result of a check: what was compared, the statistic, the threshold and its source, a verdict and a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Annotated, Any

from msgspec import Meta, Struct


class Verdict(Enum):
    """What a check found. `UNSURE` is not a pass: the data cannot decide."""

    PASS = "pass"
    FAIL = "fail"
    UNSURE = "could not tell"


class Picture(Struct, frozen=True, kw_only=True):
    """What a finding draws: points with intervals, beside the expected values or inside of a band.

    `x` are positions, or labels where they are text; `low` and `high` are of the same length as `y`, or empty.
    """

    x: tuple[float, ...] | tuple[str, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    expected: tuple[float, ...] = ()
    band: bool = False  # low and high are limits for y, and not its intervals
    log: bool = False  # both axes
    x_name: str = ""
    y_name: str = ""


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
        from packhorse.check.drawing import draw

        return draw(self, axes)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Return FAIL if any finding failed, else UNSURE if any could not tell, else PASS."""
    verdicts = {finding.verdict for finding in findings}
    return next((one for one in (Verdict.FAIL, Verdict.UNSURE) if one in verdicts), Verdict.PASS)


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as sentences show it."""
    return "none" if value is None else f"{value:.{digits}g}"
