"""Commands for the scheduler: rendered argv with placeholders, run without a shell and with a time limit."""

import os
import re
import signal
import subprocess
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

REPLY_SECONDS = 60.0  # a scheduler under load may take this long
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds between two tries
JOB = re.compile(r"[0-9]")
GUARD = re.compile(r"\{(\w+)\?\}")


def placeholders(script: str, wave: int, token: str, **more: "Any") -> "dict[str, str]":
    """Return the values of a submission's placeholders.

    `more` may hold elements, exclude (nodes), job and follows (a wave). `last` is the number of the array's last
    element. Of `many` and `single` one is empty, for schedulers that do not accept an array of one element.
    """
    elements = more.get("elements", 0)
    last = str(elements - 1) if elements else ""
    return {
        "script": script,
        "wave": str(wave),
        "last": last,
        "many": "yes" if elements > 1 else "",
        "single": "yes" if elements == 1 else "",
        "token": token,
        "exclude": ",".join(more.get("exclude", ())),
        "job": more.get("job", ""),
        "follows": str(more.get("follows", 0)),
    }


def fill_command(template: "Iterable[str]", values: "Mapping[str, str]") -> "list[str]":
    """Return an argv with its {placeholders} filled; an argument with an empty placeholder is left out.

    So is an argument that begins with {placeholder?}, which itself is filled with nothing.
    """
    argv = []
    for word in template:
        guard = GUARD.match(word)
        if guard:
            if not values[guard.group(1)]:
                continue
            word = word[guard.end() :]  # noqa: PLW2901 - step by step
        named = [name for name in values if "{%s}" % name in word]
        if all(values[name] != "" for name in named):
            for name in named:
                word = word.replace("{%s}" % name, values[name])  # noqa: PLW2901 - step by step
            argv.append(word)
    return argv


def parse_job_id(reply: str) -> str:
    """Return the job id in a scheduler's reply, or "": the only word of a line, up to a `;`."""
    for row in reversed(reply.splitlines()):  # sites print notices before it
        columns = row.split(";")[0].split()
        if len(columns) == 1 and JOB.match(columns[0]):  # "3 jobs left today" is a notice, too
            return columns[0]
    return ""


def matches(pattern: str, reply: str) -> bool:
    """Return whether a pattern is found in one of the parts of a reply, which empty lines separate."""
    return any(re.search(pattern, part, re.MULTILINE) for part in reply.split("\n\n"))


def command_environment(unset: "Sequence[str]", inherited: "Mapping[str, str]") -> "dict[str, str]":
    """Return the environment of a command, without the names in `unset` or the prefixes in it that end with *."""
    whole = {name for name in unset if not name.endswith("*")}
    starts = tuple(name[:-1] for name in unset if name.endswith("*"))
    variables = {
        name: value
        for name, value in inherited.items()
        if name not in whole and not (starts and name.startswith(starts))
    }
    return dict(variables, LC_ALL="C")


def run_command(
    argv: "list[str]", unset: "Sequence[str]" = (), seconds: float = REPLY_SECONDS
) -> "tuple[int | None, str, str]":
    """Run a command; return (status, standard output, standard error), status None after a timeout."""
    try:
        process = subprocess.Popen(
            argv,
            env=command_environment(unset, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return 127, "", "%s: %s" % (argv[0], error.strerror)
    status: "int | None"
    try:
        output, errors = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        output, errors, status = b"", b"no reply in %d s" % seconds, None
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return status, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace").strip()


class SubmissionRefused(Exception):
    """The scheduler did not accept a job, however often it was submitted."""

    def __init__(self, why: str, *, lost: bool) -> None:
        Exception.__init__(self, why)
        self.lost = lost  # whether a reply got lost, so that it may have accepted the job after all


def submit(
    argv_of: "Callable[[str], list[str]]",
    settings: "Mapping[str, Any]",
    give_up: float,
    check_wanted: "Callable[[], None]",
) -> str:
    """Submit until the scheduler accepts the job; return its id.

    `argv_of(why)` is the argv of a try after one that failed for that reason (of the first: ""), `give_up` a time
    on the monotonic clock, and `check_wanted()` raises if the job is no longer wanted. A try whose reply got lost
    is repeated: two arrays for one wave do no harm. A try that is refused for its size or time is not repeated.
    `settings` is the content of continue.json.
    """
    unset, final = settings.get("unset", ()), settings.get("final_refusals", ())
    why, lost, pause = "", False, FIRST_PAUSE
    while True:
        check_wanted()
        left = give_up - time.monotonic()
        status, output, errors = run_command(argv_of(why), unset, max(1.0, min(REPLY_SECONDS, left)))
        job = parse_job_id(output)
        if status == 0 and job:
            return job
        lost = lost or status is None or status == 0
        why = errors or output.strip() or "it exited with status %s and printed nothing" % status
        refused_for_good = any(re.search(text, why) for text in final)
        if refused_for_good or time.monotonic() + pause > give_up:
            raise SubmissionRefused(why, lost=lost)
        print_message("the scheduler did not accept the job (%s); trying again in %d s" % (why, pause))
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, 2 * pause)


def print_message(text: str) -> None:
    """Print a line with the time to the job's output."""
    print(time.strftime("%Y-%m-%d %H:%M:%S ") + text, flush=True)  # noqa: T201 - its output is read by people
