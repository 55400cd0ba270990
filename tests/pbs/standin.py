"""A stand-in for TORQUE and OpenPBS: qsub, qstat, qdel, qrls and pbsnodes, which really start the scripts they are given, here.

It is no TORQUE: it says so (`qsub --version`), knows one user, one machine and the options that Packhorse types, and refuses all
others. Its answers have the form of captured ones; what a real server says is in captures/. There is no daemon: every command, and
every job at its end, looks for jobs that may start.

`standin.py DIALECT FOLDER PROGRAM ARGUMENTS`; the folder has `jobs.json`, scripts and outputs, and `moods.json`: what the next calls
of qsub say in place of the truth. With `away` in it nobody answers, with `closed` no job starts, and with
`forgets` nothing is known of jobs that are over (TORQUE with keep_completed=0, OpenPBS without history). `dead.json` names elements whose
node does not answer, and the seconds by which they are past their time: as on TORQUE they run for ever (captures/torque/live).
"""

from __future__ import annotations

import contextlib
import fcntl
import getopt
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLACES = 4  # jobs that run at a time
USER = pwd.getpwuid(os.getuid()).pw_name
HOSTS = {"torque": "pbs01.example.org", "openpbs": "pbs01"}
OPTIONS = {"torque": "hzt:W:v:o:e:j:N:A:q:l:r:m:M:S:F:", "openpbs": "fhzJ:W:v:o:e:j:N:A:q:l:r:m:M:S:P:"}
UNKNOWN = {
    "torque": ("nonexistent job id: {}", "Unknown Job Id Error {}"),
    "openpbs": ("Unknown Job Id {}",) * 2,
}
Job = dict[str, Any]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    sys.stderr.write(f"{text}\n")


class Server:
    """The jobs of one folder, read and written under a lock."""

    def __init__(self, dialect: str, folder: Path) -> None:
        self.dialect, self.folder = dialect, folder
        self.host = HOSTS[dialect]
        self.jobs: list[Job] = []

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Hold the server: read its jobs, and write them at the end."""
        with (self.folder / "lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            path = self.folder / "jobs.json"
            self.jobs = json.loads(path.read_text()) if path.exists() else []
            yield
            self._start_what_may()
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(self.jobs))
            fresh.rename(path)

    def number(self, job: Job, element: str = "") -> str:
        """Return a job's number; of an array with brackets."""
        return f"{job['number']}[{element}].{self.host}" if job["array"] else f"{job['number']}.{self.host}"

    def named(self, word: str) -> tuple[Job, list[str]] | None:
        """Return the job that a word names, and which of its elements."""
        found = re.fullmatch(r"(\d+)(?:\[(\d*)\])?(?:\.\S+)?", word)
        if not found:
            return None
        job = next((one for one in self.jobs if one["number"] == int(found[1])), None)
        if job is not None and (self.folder / "forgets").exists() and self.over(job):
            job = None
        if job is None or job["array"] != (found[2] is not None):
            return None
        return job, [found[2]] if found[2] else list(job["elements"])

    def over(self, job: Job) -> bool:
        if any(self.number(job, name) in _dead(self) for name in job["elements"]):
            return False
        return all(one["state"] == "C" for one in job["elements"].values())

    def _start_what_may(self) -> None:
        if (self.folder / "closed").exists():
            return
        running = sum(one["state"] == "R" for job in self.jobs for one in job["elements"].values())
        for job in self.jobs:
            ahead = [self.named(word) for word in job["after"]]
            if job["held"] or any(one and not self.over(one[0]) for one in ahead):
                continue
            for name, element in job["elements"].items():
                own = sum(one["state"] == "R" for one in job["elements"].values())
                if (
                    element["state"] != "Q"
                    or running >= PLACES
                    or (job["throttle"] and own >= job["throttle"])
                ):
                    continue
                running += 1
                argv = [
                    sys.executable,
                    __file__,
                    self.dialect,
                    str(self.folder),
                    "job",
                    str(job["number"]),
                    name,
                ]
                process = subprocess.Popen(
                    argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
                )  # fmt: skip
                element.update(state="R", pid=process.pid, start=time.time())


def qsub(server: Server, arguments: list[str]) -> int:
    """Take a job; what stands in `moods.json` is said instead."""
    moods = server.folder / "moods.json"
    left = json.loads(moods.read_text()) if moods.exists() else []
    mood = left[0] if left else {"takes": True}
    moods.write_text(json.dumps(left[1:]))
    number = ""
    if mood.get("takes"):
        job = _asked(server, arguments)
        if isinstance(job, str):
            complain(job)
            return 2
        with server.open():
            job["number"] = len(server.jobs)
            job["output"] = job["output"] or f"{job['folder']}/{job['name']}.o{job['number']}"
            (server.folder / f"{job['number']}.SC").write_text(job.pop("script"))
            server.jobs.append(job)
            number = server.number(job)
    asker = os.getppid()
    while mood.get("hangs") and os.getppid() == asker:
        time.sleep(0.05)
    sys.stdout.write(mood.get("stdout", f"{number}\n" if number else ""))
    sys.stderr.write(mood.get("stderr", ""))
    return int(mood.get("status", 0))


def _asked(server: Server, arguments: list[str]) -> Job | str:
    """Return the job that the command line and the head of the script ask for, or a complaint."""
    letters = OPTIONS[server.dialect]
    try:
        said, names = getopt.getopt(arguments, letters)
        script = Path(names[0]).read_text()
        head = [row.removeprefix("#PBS ") for row in script.splitlines() if row.startswith("#PBS ")]
        standing = [pair for row in head for pair in getopt.getopt(row.split(" ", 1), letters)[0]]
    except (getopt.GetoptError, OSError, IndexError) as error:
        return f"qsub: {error}"
    if len(names) != 1:
        return "qsub: illegal operand"
    options = {**dict(standing), **dict(said)}
    array = options.get("-t") or options.get("-J") or ""
    span = re.fullmatch(r"(\d+)-(\d+)(?:%(\d+))?", array)
    if array and (not span or (server.dialect == "openpbs" and span[1] == span[2])):
        return (
            "qsub: illegal -J value"
            if server.dialect == "openpbs"
            else "qsub: submit error (Bad Job Array Request)"
        )
    depend = options.get("-W", "").removeprefix("depend=")
    kind, _, target = depend.partition(":")
    if depend and (kind == "afteranyarray") != (server.dialect == "torque" and "[]" in target):
        return f"qsub: illegal -W dependency value: '{depend}'"
    elements = [str(n) for n in range(int(span[1]), int(span[2]) + 1)] if span else ["0"]
    return {
        "array": bool(array),
        "name": options.get("-N", Path(names[0]).name),
        "held": "-h" in options,
        "after": [target] if depend else [],
        "throttle": int(span[3] or 0) if span else 0,
        "told": dict(pair.split("=", 1) for pair in options.get("-v", "").split(",") if pair),
        "output": options.get("-o", ""),  # absent: NAME.oNUMBER beside the script
        "argv": arguments,
        "folder": str(Path.cwd()),
        "path": os.environ["PATH"],
        "script": script,
        "elements": {name: {"state": "Q"} for name in elements},
    }


def work(server: Server, number: int, name: str) -> int:
    """Run one element of a job to its end, as its login shell would, and say how it ended."""
    with server.open():
        job = server.jobs[number]
    home = server.folder / "home"
    home.mkdir(exist_ok=True)
    spool = server.folder / f"{number}-{name}.OU"
    told = {
        "HOME": str(home),
        "USER": USER,
        "LOGNAME": USER,
        "PATH": "/usr/bin:/bin",
        "PBS_ENVIRONMENT": "PBS_BATCH",
        "PBS_JOBID": server.number(job, name),
        "PBS_JOBNAME": job["name"],
        "PBS_O_WORKDIR": job["folder"],
        "PBS_O_PATH": job["path"],
        **job["told"],
    }
    if job["array"]:
        told["PBS_ARRAYID" if server.dialect == "torque" else "PBS_ARRAY_INDEX"] = name
    with spool.open("wb") as stream:
        process = subprocess.Popen(
            ["bash", str(server.folder / f"{number}.SC")], cwd=home, env=told, stdin=subprocess.DEVNULL, stdout=stream,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        with server.open():
            server.jobs[number]["elements"][name]["shell"] = process.pid
        code = process.wait()
    with server.open():
        element = server.jobs[number]["elements"][name]
        end = 271 if element.get("deleted") else (code if code >= 0 else 128 - code)
        element.update(state="C", exit=end, end=time.time())
        if job["output"] and job["output"] != "/dev/null":
            path = job["output"].replace("^array_index^", name)
            Path(path + (f"-{name}" if server.dialect == "torque" and job["array"] else "")).write_bytes(
                spool.read_bytes()
            )
    return 0


def qdel(server: Server, words: list[str]) -> int:
    """Delete jobs: those that run are told to end, those that wait end without a status."""
    status = 0
    with server.open():
        for word in words:
            found = server.named(word)
            if found is None or server.over(found[0]):
                complain("qdel: " + UNKNOWN[server.dialect][0].format(word))
                status = 153
                continue
            job, names = found
            dead = _dead(server)
            for name, element in ((name, job["elements"][name]) for name in names):
                if server.number(job, name) in dead:
                    if "[]" not in word:
                        complain(f"qdel: Server could not connect to MOM {server.number(job, name)}")
                        status = 224
                    continue
                element["deleted"] = True
                if element["state"] == "Q":
                    element.update(state="C", end=time.time())
                elif element["state"] == "R" and "shell" in element:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(element["shell"], signal.SIGTERM)
    return status


def _dead(server: Server) -> dict[str, int]:
    path = server.folder / "dead.json"
    return json.loads(path.read_text()) if path.exists() else {}


def pbsnodes(server: Server, words: list[str]) -> int:
    """List the nodes that do not answer."""
    if words != ["-l"]:
        return 2
    if _dead(server):
        say("n02                  down,job-exclusive")
    return 0


def qrls(server: Server, words: list[str]) -> int:
    """Take the hold off jobs."""
    with server.open():
        found = [server.named(word) for word in words]
        for one in found:
            if one is not None:
                one[0]["held"] = False
    return 0 if all(found) else 153


def qstat(server: Server, arguments: list[str]) -> int:
    """List jobs as `qstat -u`, or say all about some as `qstat -f -t`."""
    if (server.folder / "away").exists():
        say(
            f"Connection refused\nqstat: cannot connect to server {server.host} (errno=15010)",
            file=sys.stderr,
        )
        return 255 if server.dialect == "openpbs" else 111
    options, words = getopt.getopt(arguments, "u:f1txF:Q")
    flags = {name for name, _ in options}
    forgets = (server.folder / "forgets").exists()
    if forgets and server.dialect == "openpbs" and "-x" in flags:
        complain(
            "PBS is not configured to maintain job history"
        )  # with status 0; captures: qstat-x-no-history
        return 0
    if "-Q" in flags:
        queue = {
            "queue_type": "Execution",
            "enabled": "True",
            "started": "True",
            "resources_max": {"walltime": "24:00:00"},
        }
        rows = (f"    {name} = {value}" for name, value in _flat(queue))
        say(
            "\n".join(["Queue: batch", *rows])
            if server.dialect == "torque"
            else json.dumps({"Queue": {"batch": queue}})
        )
        return 0
    with server.open():
        if "-u" in flags:
            return _listed(server, ended=not forgets and ("-x" in flags or server.dialect == "torque"))
        found = [server.named(word) for word in words]
        told = [one for each in found if each for one in _told(server, *each)]
    if "-F" in flags:
        say(json.dumps({"pbs_server": server.host, **({"Jobs": dict(told)} if told else {})}))
    else:
        for number, attributes in told:
            rows = (f"    {name} = {value}" for name, value in _flat(attributes))
            say("\n".join([f"Job Id: {number}", *rows, ""]))
    missing = [word for word, one in zip(words, found, strict=True) if one is None]
    for word in missing:
        complain("qstat: " + UNKNOWN[server.dialect][1].format(word))
    return 153 if missing else 0


def _listed(server: Server, *, ended: bool) -> int:
    jobs = [job for job in server.jobs if ended or not server.over(job)]
    if jobs:
        say(f"\n{server.host}:\nJob ID Username Queue Jobname SessID NDS TSK Memory Time S Time\n{'-' * 80}")
    for job in jobs:
        letter = _letter(server, job)
        say(f"{server.number(job)} {USER} batch {job['name'][:16]} -- 1 1 -- 01:00:00 {letter} --")
    return 0


def _letter(server: Server, job: Job) -> str:
    states = [one["state"] for one in job["elements"].values()]
    if server.over(job):
        return "C" if server.dialect == "torque" else "F"
    if "R" in states or "C" in states:
        return "B" if server.dialect == "openpbs" and job["array"] else "R"
    return "H" if job["held"] or job["after"] else "Q"


def _told(server: Server, job: Job, names: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield all about an array's elements; OpenPBS says of the array itself whether it is held."""
    ahead = [server.named(word) for word in job["after"]]
    waits = any(one and not server.over(one[0]) for one in ahead)
    holds = ("u" if job["held"] else "") + ("s" if waits else "")
    both = {"Job_Name": job["name"], "Job_Owner": f"{USER}@{server.host}", "queue": "batch", "Variable_List": job["told"],
            "Resource_List": {"walltime": "01:00:00"}, "init_work_dir": job["folder"], "comment": "a stand-in",
            "Join_Path": "oe", "Output_Path": f"{server.host}:{job['output']}"}  # fmt: skip
    if server.dialect == "openpbs" and job["array"]:
        yield (
            server.number(job),
            {**both, "job_state": _letter(server, job), "Hold_Types": holds or "n", "array": "True"},
        )
    for name in names:
        element = job["elements"][name]
        letter = element["state"]
        if letter == "Q" and holds and (server.dialect == "torque" or not job["array"]):
            letter = "H"
        if letter == "C" and server.dialect == "openpbs":
            letter = "F" if server.over(job) else "X"
        told = {**both, "job_state": letter, "Hold_Types": holds or "n"}
        if element["state"] != "Q" and "start" in element:
            told["exec_host"] = "n01/0"
        if "exit" in element:
            told["exit_status" if server.dialect == "torque" else "Exit_status"] = element["exit"]
        elif element["state"] == "C" and server.dialect == "openpbs":
            told |= {"substate": 91, "comment": "Subjob finished"}
        number = server.number(job, name)
        yield number, told | _told_of_dead(_dead(server).get(number))


def _told_of_dead(overdue: int | None) -> dict[str, Any]:
    """Return what the server says of an element whose node does not answer, whatever became of it."""
    if overdue is None:
        return {}
    return {"job_state": "R", "exec_host": "n02/0", "Walltime.Exceeded": -overdue}


def _flat(attributes: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in attributes.items():
        if name == "Variable_List":
            yield name, ",".join(f"{one}={said}" for one, said in value.items())
        elif isinstance(value, dict):
            yield from ((f"{name}.{one}", said) for one, said in value.items())
        else:
            yield name, value


def main(dialect: str, folder: str, program: str, *arguments: str) -> int:
    """Be one of the programs."""
    server = Server(dialect, Path(folder))
    if arguments == ("--version",):
        say(f"a stand-in for {dialect}, which Packhorse's tests use; no {program} of a batch system")
        return 0
    if program == "job":
        return work(server, int(arguments[0]), arguments[1])
    programs = {"qsub": qsub, "qstat": qstat, "qdel": qdel, "qrls": qrls, "pbsnodes": pbsnodes}
    return programs[program](server, list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
