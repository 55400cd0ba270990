"""What a finding draws, with Matplotlib, which is an optional dependency."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from packhorse.model.errors import UsageError


class Picture(Struct, frozen=True, kw_only=True):
    """What a finding draws: points with intervals, beside the expected values or inside of a band.

    `low` and `high` are of the same length as `y`, or empty.
    """

    y: Annotated[tuple[float, ...], Meta(description="The values.")]
    x: Annotated[tuple[float, ...], Meta(description="Their positions; empty: in order.")] = ()
    labels: Annotated[tuple[str, ...], Meta(description="Their names, if any.")] = ()
    low: Annotated[tuple[float, ...], Meta(description="Lower ends, if any.")] = ()
    high: Annotated[tuple[float, ...], Meta(description="Upper ends, if any.")] = ()
    expected: Annotated[tuple[float, ...], Meta(description="Expected values, if any.")] = ()
    band: Annotated[bool, Meta(description="Whether low and high are limits, and not intervals.")] = False
    log: Annotated[bool, Meta(description="Whether both axes are logarithmic.")] = False
    x_name: Annotated[str, Meta(description="The name of the horizontal axis.")] = ""
    y_name: Annotated[str, Meta(description="The name of the vertical axis.")] = ""


def draw(picture: Picture, title: str, axes: Any = None) -> Any:
    """Draw a picture into `axes`, or into a new figure, and return the axes.

    Raises UsageError where Matplotlib is not installed.
    """
    if axes is None:
        axes = _new_axes()
    labels = list(picture.labels)
    x = list(picture.x) or [float(place) for place in range(len(picture.y))]
    _points(axes, x, picture)
    if labels:
        axes.set_xticks(x, labels, rotation=90 if max(map(len, labels)) > 8 else 0)
    if picture.log:
        axes.set_xscale("log")
        axes.set_yscale("log")
    axes.set_xlabel(picture.x_name)
    axes.set_ylabel(picture.y_name)
    axes.set_title(title)
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
