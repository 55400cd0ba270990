"""Where a job works and which files it writes, from scontrol and sacct."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from packhorse.model.command import Command
from packhorse.model.job import Details
from packhorse.schedulers.slurm.fields import number
from packhorse.schedulers.slurm.header import read_header
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
SCRIPT = re.compile(r"\.(sh|bash|slurm|sbatch|job|batch|sl|run|R|py)$")  # how users name scripts
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


def of_sacct(text: str, script: str = "") -> list[Details]:
    """Return the jobs of the accounting's answer. Files are those of the command line, of `script`, or Slurm's defaults.

    The accounting of most versions does not have the names in a script's directives: without the text of the script,
    the files may not exist.
    """
    rows = []
    for line in text.splitlines():
        fields = line.split(MARK)
        place = _ID.fullmatch(fields[0])
        if place and len(fields) == len(PLACES):
            rows.append(_from_sacct(place, dict(zip(PLACES, fields, strict=True)), script))
    return rows


def _from_sacct(place: re.Match[str], attributes: dict[str, str], script: str) -> Details:
    asked = read_header(script).request
    named = {"output": asked.output, "error": asked.error, **_options(attributes["SubmitLine"])}
    marks = _marks(place[1], place[2], attributes["User"], attributes["JobName"])
    marks |= {"j": attributes["JobIDRaw"], "J": attributes["JobIDRaw"]}
    marks["N"] = attributes["NodeList"].partition(",")[0]
    folder, error = attributes["WorkDir"], named["error"]
    return Details(
        job=place[1],
        element=number(place[2] or ""),
        name=attributes["JobName"],
        word=attributes["State"],
        folder=folder,
        script=_script_in(attributes["SubmitLine"], folder),
        output=_filled(named["output"] or _usual(place[2]), marks, folder),
        error=_filled(error, marks, folder) if error else "",
        waits=attributes["State"] == "PENDING",
        guessed=not _options(attributes["SubmitLine"]).get("output"),
    )


def of_script(job: str, script: str, folder: str, user: str, name: str) -> list[Details]:
    """Return where the elements of an array write, by the directives of its script.

    It returns nothing for a name with a part that is not known yet, such as the node's.
    """
    head = read_header(script)
    asked, folder = head.request, head.folder or folder
    patterns = [asked.output or _usual("0"), *([asked.error] if asked.error else [])]
    if any(mark[2] in "jJN" for pattern in patterns for mark in _PATTERN.finditer(pattern)):
        return []
    rows = []
    for first, last, step in asked.indices:
        for element in range(first, last + 1, step):
            marks = _marks(job, str(element), user, asked.name or name)
            output, *error = (_filled(pattern, marks, folder) for pattern in patterns)
            rows.append(Details(job=job, element=element, folder=folder, output=output, error="".join(error)))
    return rows


def _usual(element: str | None) -> str:
    return "slurm-%A_%a.out" if element else "slurm-%j.out"


def _marks(job: str, element: str | None, user: str, name: str) -> dict[str, str]:
    """Return what replaces the marks of a file name (sbatch(1), filename pattern), as far as all elements share it."""
    return {
        "A": job,
        "a": element or "4294967294",
        "n": "0",
        "s": "batch",
        "t": "0",
        "u": user,
        "x": name,
        "%": "%",
    }


def _filled(pattern: str, marks: Mapping[str, str], folder: str) -> str:
    """Return the path of a file; empty where it is relative to a folder that is not known."""
    filled = _PATTERN.sub(lambda mark: marks[mark[2]].rjust(int(mark[1] or 0), "0"), pattern)
    return _in_folder(filled, folder)


def _in_folder(path: str, folder: str) -> str:
    if path.startswith("/"):
        return path
    return f"{folder.rstrip('/')}/{path}" if folder else ""


def _script_in(line: str, folder: str) -> str:
    """Return the path of the script in a command line: its first word that looks like a file; empty where none does."""
    for word in line.split()[1:]:
        if not word.startswith("-") and SCRIPT.search(word):
            return _in_folder(word, folder)
    return ""


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
