"""Draw a finding with Matplotlib, which is an optional dependency."""

from __future__ import annotations

from typing import Any

from packhorse.check.finding import Finding, Picture
from packhorse.model.errors import UsageError


def draw(finding: Finding, axes: Any = None) -> Any:
    """Draw a finding into `axes`, or into a new figure, and return the axes.

    Raises UsageError where Matplotlib is not installed or the finding has no picture.
    """
    picture = finding.picture
    if picture is None:
        raise UsageError(f"the check '{finding.check}' has nothing to draw", "print(finding)")
    if axes is None:
        axes = _new_axes()
    labels = [str(x) for x in picture.x] if picture.x and isinstance(picture.x[0], str) else []
    x = list(range(len(labels))) if labels else list(picture.x)
    _points(axes, x, picture)
    if labels:
        axes.set_xticks(x, labels, rotation=90 if max(map(len, labels)) > 8 else 0)
    if picture.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlabel(picture.x_name)
    axes.set_ylabel(picture.y_name)
    axes.set_title(f"{finding.check}: {finding.verdict.value}")
    return axes


def _points(axes: Any, x: list[Any], picture: Picture) -> None:
    y = list(picture.y)
    if picture.band:
        axes.fill_between(x, picture.low, picture.high, color="0.85", label="limits")
        axes.step(x, y, where="mid", color="C0")
    elif picture.low:
        below = [value - low for value, low in zip(y, picture.low, strict=True)]
        above = [high - value for value, high in zip(y, picture.high, strict=True)]
        axes.errorbar(x, y, yerr=[below, above], fmt="o", color="C0", capsize=2)
    else:
        axes.plot(x, y, "o", color="C0")
    if picture.expected:
        expected = [*picture.expected] * (len(x) if len(picture.expected) == 1 else 1)
        axes.plot(x, expected, "--", color="0.4", label="expected")


def _new_axes() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise UsageError("Matplotlib is not installed", "pip install 'packhorse[plots]'") from error
    return plt.subplots(layout="constrained")[1]
