"""Reading what Slurm says of one job: where it works, and which files it writes."""

from __future__ import annotations

import re
import shlex

from packhorse.model.command import Command
from packhorse.model.job import Details
from packhorse.schedulers.slurm.fields import number
from packhorse.schedulers.slurm.queue import ENV, UNSET

# scontrol prints values with blanks in them and escapes nothing; so a value goes up to the next key that is known to
# follow. Each of these is a key of every version from 22.05 to 26.05, or stands behind one that is cut off here.
_KEYS = (
    "JobId ArrayJobId ArrayTaskId ArrayTaskThrottle HetJobId HetJobOffset JobName HetJobIdSet UserId JobState Reason "
    "Command SubmitLine WorkDir Comment AdminComment SystemComment StdErr StdIn StdOut "
    "Power TresPerTask TresPerJob TresPerNode TresBind TresFreq CpusPerTres MemPerTres MailUser MailType NtasksPerTRES"
)
_KEY = re.compile(rf"(?:^| +)({'|'.join(_KEYS.split())})=")

PLACES = ("JobID", "JobIDRaw", "State", "User", "NodeList", "SubmitLine", "WorkDir", "JobName")
MARK = "\x1f"  # no name, path or command line has it
_ID = re.compile(r"(\d+)(?:_(\d+))?")
_PATTERN = re.compile(r"%(\d*)([%AaJjNnstux])")


def shown(job: str) -> Command:
    """Return the question to slurmctld, which knows a job until MinJobAge after its end (slurm.conf(5))."""
    return Command(argv=("scontrol", "--oneliner", "show", "job", job), env=ENV, unset=UNSET)


def kept(job: str) -> Command:
    """Return the question to the accounting, in fields that every version has."""
    argv = (
        "sacct",
        "--noheader",
        "--allocations",
        "--parsable2",
        f"--delimiter={MARK}",
        f"--jobs={job}",
        f"--format={','.join(PLACES)}",
    )
    return Command(argv=argv, timeout=60.0, env=ENV, unset=UNSET)


def of_scontrol(text: str) -> list[Details]:
    """Return the jobs of scontrol's answer, an element of an array each; elements that wait have no files yet."""
    found = []
    for line in text.splitlines():
        said = _values(line)
        if said.get("JobId", "").isdigit():
            found.append(_shown(said))
    return found


def _values(line: str) -> dict[str, str]:
    """Return keys and values; of a key that a value seems to hold the first counts, but of the last ones the last."""
    marks = list(_KEY.finditer(line))
    ends = [*(mark.start() for mark in marks), len(line)][1:]
    said: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        value = line[mark.end() : end].strip()
        if mark[1] not in said or mark[1] in ("WorkDir", "StdErr", "StdOut"):
            said[mark[1]] = "" if value == "(null)" else value
    return said


def _shown(said: dict[str, str]) -> Details:
    element = number(said.get("ArrayTaskId", ""))
    waiting = "ArrayTaskId" in said and element is None
    output, error = said.get("StdOut", ""), said.get("StdErr", "")
    return Details(
        job=said.get("ArrayJobId") or said["JobId"],
        element=element,
        name=said.get("JobName", ""),
        word=said.get("JobState", ""),
        folder=said.get("WorkDir", ""),
        script=said.get("Command", ""),
        output="" if waiting else output,
        error="" if waiting or error == output else error,
        waits=said.get("JobState") == "PENDING",
    )


def of_sacct(text: str) -> list[Details]:
    """Return the jobs of the accounting's answer. Files are those that the command line named, or Slurm's own names.

    The accounting of most versions does not say what a script's head names, so these files may not be there.
    """
    found = []
    for line in text.splitlines():
        fields = line.split(MARK)
        place = _ID.fullmatch(fields[0])
        if place and len(fields) == len(PLACES):
            found.append(_kept(place, dict(zip(PLACES, fields, strict=True))))
    return found


def _kept(place: re.Match[str], said: dict[str, str]) -> Details:
    named = _options(said["SubmitLine"])
    usual = "slurm-%A_%a.out" if place[2] else "slurm-%j.out"
    marks = {
        "A": place[1],
        "a": place[2] or "4294967294",
        "j": said["JobIDRaw"],
        "J": said["JobIDRaw"],
        "N": said["NodeList"].partition(",")[0],
        "n": "0",
        "s": "batch",
        "t": "0",
        "u": said["User"],
        "x": said["JobName"],
        "%": "%",
    }

    def path(pattern: str) -> str:
        filled = _PATTERN.sub(lambda mark: marks[mark[2]].rjust(int(mark[1] or 0), "0"), pattern)
        return filled if filled.startswith("/") else f"{said['WorkDir'].rstrip('/')}/{filled}"

    error = named.get("error", "")
    return Details(
        job=place[1],
        element=number(place[2] or ""),
        name=said["JobName"],
        word=said["State"],
        folder=said["WorkDir"],
        output=path(named.get("output", usual)),
        error=path(error) if error else "",
        waits=said["State"] == "PENDING",
    )


def _options(line: str) -> dict[str, str]:
    """Return the files that a command line names."""
    try:
        words = shlex.split(line)
    except ValueError:  # sacct joins the words with blanks and quotes nothing
        words = line.split()
    found: dict[str, str] = {}
    for index, word in enumerate(words):
        for short, long in (("-o", "output"), ("-e", "error")):
            if word.startswith(f"--{long}="):
                found[long] = word.partition("=")[2]
            elif word in (short, f"--{long}") and index + 1 < len(words):
                found[long] = words[index + 1]
            elif word.startswith(short) and not word.startswith("--") and len(word) > 2:
                found[long] = word[2:]
    return found
