"""Rules of the values of directives: what sbatch and qsub refuse, and what means something else than it seems."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from packhorse.jobscript import values
from packhorse.jobscript.options import Option
from packhorse.lint.job import Job, named, note
from packhorse.lint.rule import Note, rule

_TIMES = ("time", "time-min")
_MEMORY = ("mem", "mem-per-cpu", "mem-per-gpu", "tmp")
_COUNTS = [
    "ntasks",
    "cpus-per-task",
    "ntasks-per-node",
    "ntasks-per-core",
    "ntasks-per-socket",
    "cpus-per-gpu",
    "threads-per-core",
    "cores-per-socket",
    "sockets-per-node",
    "mincpus",
    "tasks-per-node",
]


def _literal(job: Job, *names: str) -> Iterator[tuple[Option, str]]:
    """Yield the options that have a value without a place to fill in, and that value."""
    for option in named(job, *names):
        if not re.search(r"[${}<>]|%\(|XX", option.value or ""):
            yield option, option.value or ""


@rule("J18", "error", "The scheduler cannot read the time.")
def time_syntax(job: Job) -> Iterator[Note]:
    """Write times as D-HH:MM:SS or HH:MM:SS.

    sbatch accepts minutes, M:S, H:M:S, D-H, D-H:M and D-H:M:S, and refuses others, such as `2h`, `1:2:3:4` or `1.5`.
    walltime of PBS is in seconds, or S, M:S, H:M:S.

    Example: `#SBATCH --time=2h`; two hours are `2:00:00`.

    The fix rewrites `2h`, `30m`, `3d` and `D:H:M:S`, which have one meaning. It is safe.
    """
    if job.script.is_template:
        return
    for option in named(job, *_TIMES):
        value = option.value or ""
        if values.valid_slurm_time(value) or "$" in value:
            continue
        better = _readable(value)
        yield note(
            option,
            f"sbatch cannot read the time {value!r}",
            edits=job.replace(option, better) if better else (),
            advice="write D-HH:MM:SS",
        )
    walltime = job.script.resources.get("walltime")
    if walltime is not None and re.search(r"[A-Za-z]", walltime) and re.match(r"\d", walltime):
        for option in named(job, "l"):
            if f"walltime={walltime}" in (option.value or ""):
                yield note(option, f"qsub cannot read the walltime {walltime!r}", advice="write HH:MM:SS")


def _readable(text: str) -> str:
    """Return a time that has one meaning as sbatch reads it, or an empty text."""
    found = re.fullmatch(r"(\d+)\s*(h|hr|hrs|hours?|m|min|mins|minutes?|d|days?)", text, re.IGNORECASE)
    if found:
        number = int(found[1])
        minutes = f"{number // 60:02d}:{number % 60:02d}:00"
        return {"h": f"{number:02d}:00:00", "m": minutes, "d": f"{number}-00:00:00"}[found[2][0].lower()]
    days = re.fullmatch(r"(\d+):(\d\d?:\d\d:\d\d)", text)
    return f"{days[1]}-{days[2]}" if days else ""


@rule("J20", "error", "The scheduler cannot read the amount of memory.")
def memory_syntax(job: Job) -> Iterator[Note]:
    """Write memory as a whole number with K, M, G or T.

    sbatch refuses fractions (`1.5G`), `GiB` and other units. A number without a unit is in MB.

    Example: `#SBATCH --mem=1.5G`; write `--mem=1536M`.

    The fix writes a fraction in the next smaller unit, and `GiB` as `G`. It is safe: the amount is the same.
    """
    if job.script.is_template:
        return
    for option, value in _literal(job, *_MEMORY):
        if values.slurm_mebibytes(value) is not None:
            continue
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT])i?B?", value, re.IGNORECASE)
        better = ""
        if found:
            whole = float(found[1])
            unit = found[2].upper()
            smaller = {"T": "G", "G": "M", "M": "K"}.get(unit, "")
            better = (
                f"{int(whole)}{unit}"
                if whole.is_integer()
                else f"{round(whole * 1024)}{smaller}"
                if smaller
                else ""
            )
        yield note(
            option,
            f"sbatch cannot read the amount {value!r}",
            edits=job.replace(option, better) if better else (),
            advice="write a whole number with M or G",
        )


@rule("J55", "error", "The scheduler refuses the value of an option.")
def refused_value(job: Job) -> Iterator[Note]:
    """Use values that the scheduler accepts.

    sbatch checks counts, node ranges, array ranges, mail types, signals and some words before it submits, and refuses
    the script otherwise. `--mem`, `--mem-per-cpu` and `--mem-per-gpu` exclude each other.

    Examples: `--ntasks=0`, `--nodes=1,2`, `--array=10-1`, `--mail-type=ABORT`.
    """
    if job.script.is_template:
        return
    for name, (accepts, expected) in _ACCEPTED.items():
        for option, value in _literal(job, name):
            if not accepts(value):
                text = f"{option.written} {value!r}: sbatch expects {expected}"
                yield note(option, text)
    memory = [option for option in named(job, "mem", "mem-per-cpu", "mem-per-gpu") if not option.component]
    names = list(dict.fromkeys(option.name for option in memory))
    if len(names) > 1 and job.script.dialect == "slurm":
        text = f"--{names[0]} and --{names[1]} exclude each other"
        yield note(next(option for option in memory if option.name == names[1]), text)


def _nodes(text: str) -> bool:
    found = re.fullmatch(r"-?(\d+[kKmM]?)(?:-(\d+[kKmM]?))?|\d+(?:-\d+:\d+|,\d+-\d+)+", text)
    if not found:
        return False
    low, high = found[1], found[2]
    return not (low and high and low.isdigit() and high.isdigit() and int(low) > int(high))


def _mail(text: str) -> bool:
    # sbatch takes a list of which one word is right; a single word must be.
    return any(word.strip().upper() in _MAIL for word in text.split(","))


_MAIL = {
    "NONE",
    "BEGIN",
    "END",
    "FAIL",
    "REQUEUE",
    "ALL",
    "STAGE_OUT",
    "INVALID_DEPEND",
    "TIME_LIMIT",
    "TIME_LIMIT_90",
    "TIME_LIMIT_80",
    "TIME_LIMIT_50",
    "ARRAY_TASKS",
}


def _one_of(*accepted: str) -> Callable[[str], bool]:
    return lambda text: text.lower() in accepted


def _moment(text: str) -> bool:
    return bool(re.fullmatch(_MOMENT, text.strip(), re.IGNORECASE))


# parse_time.c: a word, a time of the day or a date, and after "now" an offset.
_MOMENT = (
    r"(?:now|today|tomorrow|midnight|noon|elevenses|fika|teatime)(?:\s*[+-]\s*\d+\s*[a-z]*)?"
    r"|(?:[\d/.-]{3,}[T ])?\d\d?:\d\d(?::\d\d)?(?:\s*[ap]m)?(?:[ T][\d/.-]{3,})?"
    r"|\d{4}|\d{6}|\d+[/.]\d+(?:[/.]\d+)?|\d{4}-\d+-\d+|(?:uts|epoch)?\d{9,}"
)


def _count(text: str) -> bool:
    return values.count(text) is not None


_SIGNALS = "HUP|INT|QUIT|ABRT|KILL|USR1|USR2|ALRM|TERM|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU"
_ACCEPTED: dict[str, tuple[Callable[[str], bool], str]] = {
    **dict.fromkeys(_COUNTS, (_count, "a whole number from 1")),
    "nodes": (_nodes, "a number or a range, such as 2 or 2-4"),
    "array": (lambda text: values.array_indices(text) is not None, "indices, such as 1-10, 0-9%2 or 1,3,5"),
    "mail-type": (_mail, "BEGIN, END, FAIL, ALL or others of its list"),
    "open-mode": (lambda text: text[:1].lower() in {"a", "t"}, "append or truncate"),
    "begin": (_moment, "a time, such as now+1hour, 16:00 or 2030-01-31T16:00"),
    "deadline": (_moment, "a time, such as now+1hour, 16:00 or 2030-01-31T16:00"),
    "hint": (
        _one_of("compute_bound", "memory_bound", "multithread", "nomultithread", "help"),
        "nomultithread or others",
    ),
    "wait-all-nodes": (str.isdigit, "0 or 1"),
    "exclusive": (_one_of("user", "mcs", "topo", ""), "user, mcs or topo"),
    "signal": (
        lambda text: bool(
            re.fullmatch(rf"(?:[RB]+:)?(?:-?0*[1-9]\d*|(?:SIG)?(?:{_SIGNALS}))(?:@\d+)?", text, re.IGNORECASE)
        ),
        "a signal, such as B:USR1@60",
    ),
    "kill-on-invalid-dep": (_one_of("yes", "no", "y", "n"), "yes or no"),
}


@rule("J58", "warning", "A comment disagrees with its directive.")
def comment_disagrees(job: Job) -> Iterator[Note]:
    """Make the comment and the value agree; one of them is wrong.

    Only a comment that is an amount alone is compared (`# 30 minutes`, `# 16 GB`, `# 2 nodes`), so that `# at most 2 h
    on this queue` is not reported.

    Example: `#SBATCH --time=00:05:00 # 30 minutes`, or `--time=2:00 # 2 hours`, which are two minutes.
    """
    if job.script.dialect != "slurm":
        return
    meant: float | None
    found: float | None
    for directive in job.script.directives:
        mine = [option for option in job.script.options if option.line == directive.line and not option.fault]
        if len(mine) != 1 or not directive.comment:
            continue
        option, text = mine[0], directive.comment.lstrip("# ").strip().rstrip(".").lower()
        if option.name == "time":
            meant, found = _span(text), values.slurm_seconds(option.value or "")
        elif option.name in {"mem", "mem-per-cpu"}:
            meant, found = _amount(text), values.slurm_mebibytes(option.value or "")
        else:
            continue
        if meant is not None and found is not None and found > 0 and not 0.93 <= found / meant <= 1.07:
            yield note(option, f"the comment says {text}, the value {option.value} is something else")


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _span(text: str) -> float | None:
    found = re.fullmatch(
        r"(\d+(?:\.\d+)?)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)", text
    )
    return float(found[1]) * _UNITS[found[2][0]] if found and float(found[1]) else None


def _amount(text: str) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([mgt])i?b?", text)
    return (
        float(found[1]) * {"m": 1, "g": 1024, "t": 1024**2}[found[2]] if found and float(found[1]) else None
    )


@rule("J40", "warning", "The mail address is a placeholder.")
def placeholder_address(job: Job) -> Iterator[Note]:
    """Write your own address, or remove the line: Slurm then writes to the user who submitted.

    Mail to `you@example.com` goes nowhere, or to a stranger. Without an address `--mail-type` alone is enough on most
    sites.
    """
    for option in named(job, "mail-user", "M"):
        value = option.value or ""
        if job.script.dialect == "slurm" and option.name != "mail-user":
            continue
        if _PLACEHOLDER.search(value):
            yield note(option, f"{value} is a placeholder")


_PLACEHOLDER = re.compile(
    r"(?i)^(your?|my|user|username|name|me|email|e-mail|someone|xxx+|netid|userid|first\.?last)[\w.-]*@|"
    r"@(example|domain|email|xxx+|your|my)[\w-]*\.|^<.*>$|^(your|my)[_.-]?e?-?(mail|address)\b|^\{.*\}$|"
    r"^(user|your|email)@"
)
