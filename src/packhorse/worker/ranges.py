"""Half-open ranges [a, b) of integers: many tasks in a few pairs."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Ranges = list[list[int]]
    AnyRanges = Iterable[list[int]]

# The first tasks of a wave are spread over the space, so that a wrong study is found before it costs hours; where as
# many fail alike, the wave stops.
PROBE_TASKS = 20


def count(ranges: "AnyRanges") -> int:
    """Return how many integers the ranges hold."""
    return sum(b - a for a, b in ranges)


def joined(ranges: "AnyRanges") -> "Ranges":
    """Return the ranges in ascending order, with overlapping and adjacent ones merged."""
    merged: "Ranges" = []
    for a, b in sorted(ranges):
        if merged and merged[-1][1] >= a:
            merged[-1][1] = max(merged[-1][1], b)
        elif a < b:
            merged.append([a, b])
    return merged


def to_ranges(numbers: "Iterable[int]") -> "Ranges":
    """Return ascending integers as ranges."""
    ranges: "Ranges" = []
    for number in numbers:
        if ranges and ranges[-1][1] == number:
            ranges[-1][1] = number + 1
        else:
            ranges.append([number, number + 1])
    return ranges


def without(ranges: "AnyRanges", others: "AnyRanges") -> "Ranges":
    """Return the ranges minus `others`; both may be in any order."""
    rest: "Ranges" = []
    removed, at = joined(others), 0
    for a, b in joined(ranges):
        while at < len(removed) and removed[at][1] <= a:
            at += 1
        start, step = a, at
        while start < b and step < len(removed) and removed[step][0] < b:
            if start < removed[step][0]:
                rest.append([start, removed[step][0]])
            start = removed[step][1]
            step += 1
        if start < b:
            rest.append([start, b])
    return rest


def spread(ranges: "Ranges", number: int) -> "list[int]":
    """Return up to `number` integers spread evenly over the ranges, including the first and the last."""
    total = count(ranges)
    number = min(number, total)
    if number <= 1:
        return [ranges[0][0]] if number else []
    positions = sorted({k * (total - 1) // (number - 1) for k in range(number)})
    chosen: "list[int]" = []
    offset = at = 0
    for a, b in ranges:
        while at < len(positions) and positions[at] < offset + b - a:
            chosen.append(a + positions[at] - offset)
            at += 1
        offset += b - a
    return chosen
