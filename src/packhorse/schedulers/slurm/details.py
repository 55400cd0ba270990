"""Where a job works and which files it writes, from scontrol and sacct."""

from __future__ import annotations

import re
import shlex

from packhorse.model.command import Command
from packhorse.model.job import Details
from packhorse.schedulers.slurm.fields import number
from packhorse.schedulers.slurm.queue import ENV, UNSET

# scontrol does not escape spaces in values; so a value ends at the next key that is known to follow. Each of these is a
# key in every version from 22.05 to 26.05, or follows one whose value is not needed.
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


def scontrol_query(job: str) -> Command:
    """Return the question to slurmctld, which knows a job until MinJobAge after its end (slurm.conf(5))."""
    return Command(argv=("scontrol", "--oneliner", "show", "job", job), env=ENV, unset=UNSET)


def sacct_query(job: str) -> Command:
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
    """Return the jobs of scontrol's answer, one for each element; waiting elements have no files yet."""
    rows = []
    for line in text.splitlines():
        attributes = _values(line)
        if attributes.get("JobId", "").isdigit():
            rows.append(_from_scontrol(attributes))
    return rows


def _values(line: str) -> dict[str, str]:
    """Return keys and values. A value may contain the text of a key: then the first counts, of the last keys the last."""
    marks = list(_KEY.finditer(line))
    ends = [*(mark.start() for mark in marks), len(line)][1:]
    attributes: dict[str, str] = {}
    for mark, end in zip(marks, ends, strict=False):
        value = line[mark.end() : end].strip()
        if mark[1] not in attributes or mark[1] in ("WorkDir", "StdErr", "StdOut"):
            attributes[mark[1]] = "" if value == "(null)" else value
    return attributes


def _from_scontrol(attributes: dict[str, str]) -> Details:
    element = number(attributes.get("ArrayTaskId", ""))
    waiting = "ArrayTaskId" in attributes and element is None
    output, error = attributes.get("StdOut", ""), attributes.get("StdErr", "")
    return Details(
        job=attributes.get("ArrayJobId") or attributes["JobId"],
        element=element,
        name=attributes.get("JobName", ""),
        word=attributes.get("JobState", ""),
        folder=attributes.get("WorkDir", ""),
        script=attributes.get("Command", ""),
        output="" if waiting else output,
        error="" if waiting or error == output else error,
        waits=attributes.get("JobState") == "PENDING",
    )


def of_sacct(text: str) -> list[Details]:
    """Return the jobs of the accounting's answer. Files are those of the command line, or Slurm's defaults.

    The accounting of most versions does not have the names in a script's directives, so these files may not exist.
    """
    rows = []
    for line in text.splitlines():
        fields = line.split(MARK)
        place = _ID.fullmatch(fields[0])
        if place and len(fields) == len(PLACES):
            rows.append(_from_sacct(place, dict(zip(PLACES, fields, strict=True))))
    return rows


def _from_sacct(place: re.Match[str], attributes: dict[str, str]) -> Details:
    named = _options(attributes["SubmitLine"])
    usual = "slurm-%A_%a.out" if place[2] else "slurm-%j.out"
    marks = {
        "A": place[1],
        "a": place[2] or "4294967294",
        "j": attributes["JobIDRaw"],
        "J": attributes["JobIDRaw"],
        "N": attributes["NodeList"].partition(",")[0],
        "n": "0",
        "s": "batch",
        "t": "0",
        "u": attributes["User"],
        "x": attributes["JobName"],
        "%": "%",
    }

    def path(pattern: str) -> str:
        filled = _PATTERN.sub(lambda mark: marks[mark[2]].rjust(int(mark[1] or 0), "0"), pattern)
        return filled if filled.startswith("/") else f"{attributes['WorkDir'].rstrip('/')}/{filled}"

    error = named.get("error", "")
    return Details(
        job=place[1],
        element=number(place[2] or ""),
        name=attributes["JobName"],
        word=attributes["State"],
        folder=attributes["WorkDir"],
        output=path(named.get("output", usual)),
        error=path(error) if error else "",
        waits=attributes["State"] == "PENDING",
    )


def _options(line: str) -> dict[str, str]:
    """Return the files in a command line."""
    try:
        arguments = shlex.split(line)
    except ValueError:  # sacct joins the words without quotes
        arguments = line.split()
    files: dict[str, str] = {}
    for index, word in enumerate(arguments):
        for short, long in (("-o", "output"), ("-e", "error")):
            if word.startswith(f"--{long}="):
                files[long] = word.partition("=")[2]
            elif word in (short, f"--{long}") and index + 1 < len(arguments):
                files[long] = arguments[index + 1]
            elif word.startswith(short) and not word.startswith("--") and len(word) > 2:
                files[long] = word[2:]
    return files
