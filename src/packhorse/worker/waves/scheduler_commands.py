"""Saying to a scheduler what was rendered for it: argv with places, started without a shell, never waited for in vain."""

import os
import re
import signal
import subprocess
import time

ANSWER_SECONDS = 60.0  # a scheduler under load may take this long
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds between two tries
JOB = re.compile(r"[0-9]")
GUARD = re.compile(r"\{(\w+)\?\}")


def places(script, wave, token, **more):
    """Return what a submission's places stand for; `more` may be elements, exclude (nodes), job and follows (a wave).

    `last` is the number of the array's last element. Of `many` and `single` one is empty, for schedulers that know no
    array of one element.
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


def filled(template, places):
    """Return an argv with its {places} filled; an argument whose place is empty is left out.

    So is one that begins with {place?}, which itself stands for nothing.
    """
    found = []
    for word in template:
        asks = GUARD.match(word)
        if asks:
            if not places[asks.group(1)]:
                continue
            word = word[asks.end() :]  # noqa: PLW2901 - step by step
        named = [name for name in places if "{%s}" % name in word]
        if all(places[name] != "" for name in named):
            for name in named:
                word = word.replace("{%s}" % name, places[name])  # noqa: PLW2901 - step by step
            found.append(word)
    return found


def job_number(said):
    """Return the job's number in a scheduler's answer, or "": the only word of a line, up to a `;`."""
    for row in reversed(said.splitlines()):  # sites print notices before it
        words = row.split(";")[0].split()
        if len(words) == 1 and JOB.match(words[0]):  # "3 jobs left today" is a notice, too
            return words[0]
    return ""


def says(pattern, said):
    """Tell whether a pattern is found in one of the parts of what a scheduler said, which empty lines set apart."""
    return any(re.search(pattern, part, re.MULTILINE) for part in said.split("\n\n"))


def environment(unset, inherited):
    """Return the environment of a command: names, or beginnings that end with *, are taken away."""
    whole = {name for name in unset if not name.endswith("*")}
    starts = tuple(name[:-1] for name in unset if name.endswith("*"))
    kept = {
        name: value
        for name, value in inherited.items()
        if name not in whole and not (starts and name.startswith(starts))
    }
    return dict(kept, LC_ALL="C")


def ask(argv, unset=(), seconds=ANSWER_SECONDS):
    """Run a command; return (status, what it printed, its complaint), status None where no answer came."""
    try:
        process = subprocess.Popen(
            argv,
            env=environment(unset, os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        return 127, "", "%s: %s" % (argv[0], error.strerror)
    try:
        said, complaint = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        said, complaint, status = b"", b"no answer in %d s" % seconds, None
        process.stdout.close()
        process.stderr.close()
    return status, said.decode("utf-8", "replace"), complaint.decode("utf-8", "replace").strip()


class Refused(Exception):
    """The scheduler did not take a job, however often it was asked."""

    def __init__(self, why, lost):
        Exception.__init__(self, why)
        self.lost = lost  # whether an answer got lost, so that it may have taken the job all the same


def submit(argv_of, unset, give_up, wanted):
    """Submit until the scheduler takes the job; return its number.

    `argv_of(why)` is the argv of a try after one that failed for that reason (of the first: ""), `give_up` a moment
    on the monotonic clock, and `wanted()` raises when nobody wants the job any more. A try whose answer got lost is
    repeated: two arrays for one wave do no harm.
    """
    why, lost, pause = "", False, FIRST_PAUSE
    while True:
        wanted()
        left = give_up - time.monotonic()
        status, said, complaint = ask(argv_of(why), unset, max(1.0, min(ANSWER_SECONDS, left)))
        job = job_number(said)
        if status == 0 and job:
            return job
        lost = lost or status is None or status == 0
        why = complaint or said.strip() or "it ended with status %s and said nothing" % status
        if time.monotonic() + pause > give_up:
            raise Refused(why, lost)
        sentence("the scheduler did not take the job (%s); asking again in %d s" % (why, pause))
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, 2 * pause)


def sentence(said):
    """Say something to whoever reads the job's output."""
    print(time.strftime("%Y-%m-%d %H:%M:%S ") + said, flush=True)  # noqa: T201 - its output is read by people
