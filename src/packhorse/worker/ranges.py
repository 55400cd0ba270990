"""Half-open ranges [a, b) of whole numbers, in order: many tasks in a few pairs."""

# The first tasks of a wave are spread over the space, so that a wrong study is found before it costs hours; where as
# many fail alike, the wave stops.
PROBE_TASKS = 20


def count(ranges):
    """Return how many numbers ranges hold."""
    return sum(b - a for a, b in ranges)


def joined(ranges):
    """Return ranges in order, those that touch or overlap made one."""
    found = []
    for a, b in sorted(ranges):
        if found and found[-1][1] >= a:
            found[-1][1] = max(found[-1][1], b)
        elif a < b:
            found.append([a, b])
    return found


def to_ranges(numbers):
    """Join ascending numbers into ranges."""
    found = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1][1] = number + 1
        else:
            found.append([number, number + 1])
    return found


def without(ranges, others):
    """Return ranges less what others hold; both in any order."""
    found, taken, at = [], joined(others), 0
    for a, b in joined(ranges):
        while at < len(taken) and taken[at][1] <= a:
            at += 1
        start, step = a, at
        while start < b and step < len(taken) and taken[step][0] < b:
            if start < taken[step][0]:
                found.append([start, taken[step][0]])
            start = taken[step][1]
            step += 1
        if start < b:
            found.append([start, b])
    return found


def spread(ranges, number):
    """Return up to `number` numbers spread evenly over ranges, the two ends among them."""
    total = count(ranges)
    number = min(number, total)
    if number <= 1:
        return [ranges[0][0]] if number else []
    places = sorted({k * (total - 1) // (number - 1) for k in range(number)})
    found, offset, at = [], 0, 0
    for a, b in ranges:
        while at < len(places) and places[at] < offset + b - a:
            found.append(a + places[at] - offset)
            at += 1
        offset += b - a
    return found
