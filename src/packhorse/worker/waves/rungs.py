"""The choice for the next wave: which tasks it runs, and on which rung of memory and time."""

from packhorse.worker.ranges import count, joined, without

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from packhorse.worker.ranges import Ranges
    from packhorse.worker.waves.history import History

    Rung = dict[str, Any]


class Choice(object):
    """Tasks, the rung of resources that they run on, and the tasks that no rung can help."""

    def __init__(self, tasks: "Ranges", rung: "Rung", why: str) -> None:
        self.tasks, self.rung, self.why = tasks, rung, why
        self.elements = 1
        self.overrules = False  # whether outcomes of earlier waves no longer count for its tasks
        self.hopeless: "Ranges" = []


def choose(history: "History", settings: "dict[str, Any]") -> Choice:
    """Return the choice for the next wave; it has no tasks if none is left.

    `settings` is the content of continue.json. A wave has one rung: tasks that need more memory or a longer job wait
    for the others, unless the others are fewer, since a wave also waits in the queue.
    """
    rungs = settings["rungs"]
    failed = history.failed_on_bad_hosts()
    again, longer, seconds = history.unfinished()
    usual = joined(history.missing() + again + failed)
    longer_rung = _longer(rungs, seconds)
    wide, wide_rung = _wider(history, rungs)
    choices = [_usual(history, usual, settings)]
    if longer and longer_rung:
        choices.append(Choice(longer, longer_rung, "tasks that need a longer job"))
    if wide and wide_rung:
        choices.append(Choice(wide, wide_rung, "tasks that need more memory"))
    chosen = _one_of(choices)
    if longer and not longer_rung:
        chosen.hopeless = longer
    overruled = joined(failed + wide)
    chosen.overrules = count(without(chosen.tasks, overruled)) < count(chosen.tasks)
    chosen.elements = _elements(chosen, settings, history)
    return chosen


def _usual(history: "History", tasks: "Ranges", settings: "dict[str, Any]") -> Choice:
    """Return the choice for tasks without an outcome.

    They get more memory if the scheduler killed whole jobs for theirs, or if the first tasks all ran out of it.
    """
    rungs = settings["rungs"]
    if history.only_out_of_memory() or history.killed_for_memory(settings.get("memory_words") or ()):
        before = (history.submissions.get(history.wave) or {}).get("memory") or 0
        more = [rung for rung in rungs if (rung.get("memory") or 0) > before]
        if more:
            rung = min(more, key=lambda rung: rung["memory"])
            return Choice(tasks, rung, "the rest, with more memory: tasks or jobs before had too little")
    return Choice(tasks, rungs[0], "the rest")


def _one_of(choices: "list[Choice]") -> Choice:
    first = choices[0]
    for other in choices[1:]:
        if count(first.tasks) <= count(other.tasks) or first.rung["name"] == other.rung["name"]:
            other.tasks = joined(other.tasks + first.tasks)
            return other
    return first


def _longer(rungs: "list[Rung]", seconds: float) -> "Rung | None":
    """Return the shortest rung with more time than `seconds`, or None."""
    longer = [rung for rung in rungs if (rung.get("seconds") or 0) > seconds]
    return min(longer, key=lambda rung: rung["seconds"]) if longer and seconds else None


def _wider(history: "History", rungs: "list[Rung]") -> "tuple[Ranges, Rung | None]":
    """Return the tasks that ran out of memory and for which a rung has more of it, and that rung.

    A rung with less than what such a task was seen to use would be in vain.
    """
    seen = history.outcomes.too_little / 1024.0
    tasks: "Ranges" = []
    chosen: "Rung | None" = None
    for wave, ranges in history.out_of_memory().items():
        name = (history.submissions.get(wave) or {}).get("rung")
        before = next((rung.get("task_memory") or 0 for rung in rungs if rung["name"] == name), 0)
        more = [rung for rung in rungs if (rung.get("task_memory") or 0) > max(before, seen)]
        if more:
            least = min(more, key=lambda rung: rung["task_memory"])
            tasks = joined(tasks + ranges)
            chosen = max(chosen or least, least, key=lambda rung: rung["task_memory"])
    return tasks, chosen


def _elements(choice: Choice, settings: "dict[str, Any]", history: "History") -> int:
    """Return the number of elements of the wave, limited by its tasks, the rung and the cap on core-hours."""
    rung = choice.rung
    useful = -(-count(choice.tasks) // rung["slots"])
    elements = min(rung["elements"], useful)
    if settings.get("core_hours") and rung.get("seconds"):
        left = settings["core_hours"] - history.core_hours()
        elements = min(elements, int(left * 3600 / (rung["cores"] * rung["seconds"])))
    return max(1, int(elements))
