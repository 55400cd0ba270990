"""Rewrite the commands of a scheduler in the body of a script: srun, sbatch, scancel; qsub, qdel, pbsdsh, aprun."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from packhorse.jobscript.directives import Directive, Word
from packhorse.jobscript.lines import Edit
from packhorse.jobscript.options import VALUE, Option, pbs_options, resolve, slurm_options, table
from packhorse.jobscript.shell import Arg, Command, Shell
from packhorse.translate.request import TITLES, Asked, Note, Scheduler

_OWN = {
    "slurm": {
        "srun", "sbatch", "salloc", "squeue", "scancel", "sacct", "sinfo", "scontrol", "sstat", "seff", "sbcast", "sattach",
    },
    "pbs": {
        "qsub", "qstat", "qdel", "qhold", "qrls", "qalter", "qrerun", "qmgr", "pbsdsh", "pbsnodes", "aprun", "tracejob",
        "checkjob", "msub",
    },
}  # fmt: skip
# Options of srun that say how processes are placed, which the launcher of MPI decides itself.
_HARMLESS = {
    "ntasks", "cpus-per-task", "nodes", "ntasks-per-node", "mpi", "unbuffered", "label", "kill-on-bad-exit", "exclusive",
    "exact", "cpu-bind", "mem-bind", "hint", "distribution", "mem", "mem-per-cpu", "overlap", "gpus", "gres",
    "gpus-per-task", "gpu-bind", "export", "job-name",
}  # fmt: skip
# Translates the options of a call, with notes on the line of the call.
Options = Callable[[Sequence[Option], int], tuple[list[str], list[Note]]]


class Changes(Struct, frozen=True):
    """Edits of the body and notes."""

    edits: tuple[Edit, ...] = ()
    notes: tuple[Note, ...] = ()


def commands(
    shell: Shell, first: int, source: Scheduler, to: Scheduler, asked: Asked, options: Options
) -> Changes:
    """Return the edits of the scheduler's commands from line `first` on."""
    edits: list[Edit] = []
    notes: list[Note] = []
    family = "slurm" if source == "slurm" else "pbs"
    if family == "pbs" and to != "slurm":
        return Changes()
    for command in shell.commands:
        if command.line < first:
            continue
        for index, word in enumerate(command.words[: len(command.words) - len(command.program) + 1]):
            if word.text.rpartition("/")[2] in _OWN[family] and word.literal is not None:
                more, said = _one(command, index, to, asked, options)
                edits += more
                notes += said
                break
    return Changes(tuple(edits), tuple(notes))


def _one(
    command: Command, index: int, to: Scheduler, asked: Asked, options: Options
) -> tuple[list[Edit], list[Note]]:
    word = command.words[index]
    name = word.text.rpartition("/")[2]
    if name == "srun":
        return _srun(command, index, asked)
    if name in {"aprun", "pbsdsh"}:
        return _pbs_launcher(command, index)
    if name in {"sbatch", "qsub"}:
        return _submit(command, index, to, options)
    rest = [one.text for one in command.words[index + 1 :]]
    plain = {"scancel": "qdel", "qdel": "scancel", "qhold": "scontrol hold", "qrls": "scontrol release"}
    if name in plain and rest and not any(one.startswith("-") for one in rest):
        return [_replace(word, plain[name])], []
    if name in {"squeue", "qstat"} and (not rest or rest[0] in {"-u", "--me", "-j"}):
        return _queue(command, index, name, rest)
    if name == "scontrol" and rest[:1] == ["requeue"]:
        return _span(command, index, index + 2, "qrerun"), []
    if name == "scontrol" and rest[:2] in (["show", "hostnames"], ["show", "hostname"]):
        return [], []  # a list of nodes, which is replaced as a whole
    return [], [Note(word.line, "lost", f"{name}: {TITLES[to]} has another command")]


def _queue(command: Command, index: int, name: str, rest: list[str]) -> tuple[list[Edit], list[Note]]:
    word = command.words[index]
    if name == "qstat":
        if rest[:1] == ["-j"]:
            return [], [Note(word.line, "lost", "qstat -j: not an option of PBS")]
        return [_replace(word, "squeue")], []
    if rest[:1] == ["-j"]:
        return _span(command, index, index + 2, "qstat"), []
    if rest == ["--me"]:
        return _span(command, index, index + 2, 'qstat -u "$USER"'), []
    return [_replace(word, "qstat")], [] if len(rest) < 3 else [Note(word.line, "lost", "options of squeue")]


def _replace(word: Arg, text: str) -> Edit:
    return Edit(word.line, word.start, word.end, text)


def _span(command: Command, first: int, after: int, text: str) -> list[Edit]:
    """Return edits that replace words; those on other lines are removed, which keeps the lines."""
    words = command.words[first:after]
    following = command.words[after].start if after < len(command.words) else None
    edits = []
    for line in sorted({word.line for word in words}):
        here = [word for word in words if word.line == line]
        end = here[-1].end
        if following is not None and command.words[after].line == line and not text:
            end = following
        edits.append(Edit(line, here[0].start, end, text if line == words[0].line else ""))
    return edits


def _srun(command: Command, index: int, asked: Asked) -> tuple[list[Edit], list[Note]]:
    """Return srun without its options where it starts one task, else mpirun -np N."""
    words = command.words
    start = len(words) - len(command.program)
    if start <= index or start >= len(words):
        return [], [Note(words[index].line, "lost", "srun: its program is not found")]
    given = dict(_srun_options(words[index + 1 : start]))
    count = given.get("ntasks", "") or (
        given.get("nodes", "") if "ntasks" not in given and "nodes" in given else ""
    )
    if given.keys() & {"pty", "het-group", "pack-group", "multi-prog", "jobid"}:
        return [], [Note(words[index].line, "lost", "srun with an option that has no equivalent")]
    total = count or str(asked.resources.total)
    text = "" if total == "1" else f"mpirun -np {total}"
    notes = []
    if text:
        notes.append(Note(words[index].line, "changed", f"srun became {text}, which needs the site's MPI"))
    dropped = sorted(set(given) - _HARMLESS)
    if dropped:
        notes.append(Note(words[index].line, "changed", f"options of srun are dropped: {', '.join(dropped)}"))
    return _span(command, index, start, text), notes


def _srun_options(words: Sequence[Arg]) -> Iterator[tuple[str, str]]:
    known, left = table("srun"), list(words)
    while left:
        word = left.pop(0).raw
        if word.startswith("--"):
            written, equals, value = word[2:].partition("=")
            name = resolve(written, known)[0]
            if not equals and known.long.get(name) == VALUE and left:
                value = left.pop(0).raw
            yield name, value
        elif word.startswith("-") and len(word) > 1:
            name = known.short.get(word[1], word[1])
            value = word[2:].removeprefix("=")
            if not value and known.long.get(name) == VALUE and left:
                value = left.pop(0).raw
            yield name, value


def _pbs_launcher(command: Command, index: int) -> tuple[list[Edit], list[Note]]:
    """Return srun for aprun and pbsdsh."""
    words, name = command.words, command.words[index].text.rpartition("/")[2]
    options, at, notes = ["srun"], index + 1, list[Note]()
    letters = (
        {"n": "--ntasks=", "N": "--ntasks-per-node=", "d": "--cpus-per-task="} if name == "aprun" else {}
    )
    while at < len(words) and words[at].text.startswith("-"):
        word = words[at].raw
        letter = word[1:2]
        if letter in letters:
            glued = word[2:]
            options.append(letters[letter] + (glued or (words[at + 1].raw if at + 1 < len(words) else "")))
            at += 1 if glued else 2
        elif name == "pbsdsh" and word == "-u":
            options.append("--ntasks-per-node=1")
            at += 1
        elif word in {"-v", "-q", "-s"}:
            at += 1
        elif word == "--":
            at += 1
            break
        else:
            notes.append(Note(words[at].line, "lost", f"{name} {word}: srun has no such option"))
            return [], notes
    if at >= len(words):
        return [], [Note(words[index].line, "lost", f"{name}: its program is not found")]
    return _span(command, index, at, " ".join(options)), notes


_OWN_OF_SUBMIT = re.compile(r"--parsable|-Q|--quiet")


def _submit(command: Command, index: int, to: Scheduler, options: Options) -> tuple[list[Edit], list[Note]]:
    """Return the call of the other program, with its options translated, and what follows them as it is."""
    words, line = command.words, command.words[index].line
    given, at = _given(words[index + 1 :], "sbatch" if to != "slurm" else "qsub")
    if any(word.line != line for word in words[index : index + 1 + at]):
        return [], [
            Note(
                line, "lost", f"{words[index].text}: its options are on several lines; translate them by hand"
            )
        ]
    faults = [one for one in given if one.fault or one.name in {"wrap", "I", "F"}]
    if faults:
        return [], [
            Note(line, "lost", f"{words[index].text} {faults[0].written}: translate this call by hand")
        ]
    written, notes = options(given, line)
    after = words[index + 1 + at :]
    if to != "slurm" and len(after) > 1:
        notes.append(
            Note(line, "lost", "qsub takes no arguments after the script: pass them with -F, or as variables")
        )
    if to == "slurm" and command.where.substitution:
        written = ["--parsable", *written]  # qsub prints the number alone
    elif to != "slurm" and command.where.substitution and not any(one.name == "parsable" for one in given):
        notes.append(
            Note(line, "changed", "qsub prints the number alone; remove what takes it from its line")
        )
    program = "sbatch" if to == "slurm" else "qsub"
    return _span(command, index, index + 1 + at, " ".join([program, *written])), notes


def _given(words: Sequence[Arg], program: str) -> tuple[tuple[Option, ...], int]:
    """Return the options of a call, and how many words they are."""
    read = slurm_options if program == "sbatch" else lambda lines: pbs_options(lines, "torque")
    count = 0
    best: tuple[Option, ...] = ()
    while count < len(words):
        trial = read([_line(words[: count + 1])])
        if any(one.fault == "stray" for one in trial):
            break
        count, best = count + 1, trial
    return best, count


def _line(words: Sequence[Arg]) -> Directive:
    found = tuple(Word(word.text, word.line, word.start, word.end) for word in words)
    return Directive(dialect="slurm", line=words[0].line, last_line=words[-1].line, sentinel="", words=found)
