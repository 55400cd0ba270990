"""Which tasks the next wave runs, and with which memory and time."""

from packhorse.worker.ranges import count, joined, without


class Choice(object):
    """Tasks, the rung of resources that they run on, and what is left out for good."""

    def __init__(self, tasks, rung, why):
        self.tasks, self.rung, self.why = tasks, rung, why
        self.elements = 1
        self.overrules = False  # whether earlier waves said something of its tasks that counts no more
        self.hopeless = []


def choose(history, said):
    """Return the choice for the next wave; it has no tasks where none is left.

    `said` is the content of continue.json. A wave has one rung: what needs more memory or a longer job waits for
    what does not, unless there is less of that, since a wave also waits in the queue.
    """
    rungs = said["rungs"]
    failed = history.failed_on_bad_hosts()
    again, longer, seconds = history.cut()
    usual = joined(history.missing() + again + failed)
    longer_rung = _longer(rungs, seconds)
    wide, wide_rung = _wider(history, rungs)
    choices = [_usual(history, usual, said)]
    if longer and longer_rung:
        choices.append(Choice(longer, longer_rung, "tasks that need a longer job"))
    if wide:
        choices.append(Choice(wide, wide_rung, "tasks that need more memory"))
    chosen = _one_of(choices)
    if longer and not longer_rung:
        chosen.hopeless = longer
    overruled = joined(failed + wide)
    chosen.overrules = count(without(chosen.tasks, overruled)) < count(chosen.tasks)
    chosen.elements = _elements(chosen, said, history)
    return chosen


def _usual(history, tasks, said):
    """Return the choice for what is simply missing: with more memory where the scheduler killed whole jobs for theirs."""
    rungs = said["rungs"]
    if history.killed_for_memory(said.get("memory_words") or ()):
        had = (history.submissions.get(history.wave) or {}).get("memory") or 0
        more = [rung for rung in rungs if (rung.get("memory") or 0) > had]
        if more:
            rung = min(more, key=lambda rung: rung["memory"])
            return Choice(tasks, rung, "what was left of jobs that were killed for their memory")
    return Choice(tasks, rungs[0], "what was left")


def _one_of(choices):
    first = choices[0]
    for other in choices[1:]:
        if count(first.tasks) <= count(other.tasks):
            other.tasks = joined(other.tasks + first.tasks)
            return other
    return first


def _longer(rungs, seconds):
    """Return the shortest rung that is longer than what was not enough, or None."""
    found = [rung for rung in rungs if (rung.get("seconds") or 0) > seconds]
    return min(found, key=lambda rung: rung["seconds"]) if found and seconds else None


def _wider(history, rungs):
    """Return the tasks that ran out of memory where a rung has more of it, and that rung."""
    tasks, chosen = [], None
    for wave, ranges in history.out_of_memory().items():
        name = (history.submissions.get(wave) or {}).get("rung")
        had = next((rung.get("task_memory") or 0 for rung in rungs if rung["name"] == name), 0)
        more = [rung for rung in rungs if (rung.get("task_memory") or 0) > had]
        if more:
            least = min(more, key=lambda rung: rung["task_memory"])
            tasks = joined(tasks + ranges)
            chosen = max(chosen or least, least, key=lambda rung: rung["task_memory"])
    return tasks, chosen


def _elements(choice, said, history):
    """Return how many elements the wave has: no more than tasks, rung, or the cap on core-hours give work to."""
    rung = choice.rung
    useful = -(-count(choice.tasks) // rung["slots"])
    found = min(rung["elements"], useful)
    if said.get("core_hours") and rung.get("seconds"):
        left = said["core_hours"] - history.core_hours()
        found = min(found, int(left * 3600 / (rung["cores"] * rung["seconds"])))
    return max(1, found)
