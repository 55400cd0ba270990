"""Rules of directives: whether the scheduler reads them, and knows their options."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from packhorse.jobscript.directives import is_comment
from packhorse.jobscript.lines import Edit
from packhorse.jobscript.options import Option, resolve, table
from packhorse.lint.job import Job, note
from packhorse.lint.rule import Note, rule

# Options of older versions, and of other schedulers, that people still write.
_RENAMED = {
    "workdir": "chdir",
    "share": "oversubscribe",
    "mem_bind": "mem-bind",
    "cpus_per_task": "cpus-per-task",
    "ntasks_per_node": "ntasks-per-node",
    "walltime": "time",
    "name": "job-name",
    "queue": "partition",
    "cpus": "cpus-per-task",
    "memory": "mem",
    "gpu": "gpus",
    "email": "mail-user",
}
_LETTERS = {
    "j": "-J sets the job's name",
    "P": "-p sets the partition",
    "T": "-t sets the time",
    "M": "--mem",
}


@rule("J03", "warning", "A directive after the first command is a comment.")
def late_directive(job: Job) -> Iterator[Note]:
    """Put every directive above the first command.

    sbatch and qsub stop reading at the first line that is neither blank nor a comment, also at `set -e` or `X=1`. What
    comes later has no effect, without a message: the job gets the site's default instead.

    Example: `#SBATCH --mem=64G` below `module load R`.

    The fix moves the line to the end of the header. It is safe: the author wanted the directive. Directives in
    here-documents and in quoted text belong to another script, and are not reported.
    """
    script = job.script
    head = script.directives
    quoted = _quoted_lines(job)
    for directive in script.all_directives:
        if directive.place != "late" or not directive.words or directive.line in quoted:
            continue
        if not directive.words[0].value.startswith("-"):
            continue
        row = script.lines[directive.line - 1]
        edits: tuple[Edit, ...] = ()
        if head and directive.last_line == directive.line:
            anchor = script.lines[head[-1].last_line - 1]
            moved = "".join(
                script.lines[one.line - 1].text.strip() + "\n"
                for one in script.all_directives
                if one.place == "late" and one.line not in quoted
            )
            edits = (
                Edit(anchor.number, 0, 0, anchor.text + (anchor.end or "\n") + moved, whole=True),
                Edit(directive.line, 0, 0, "", whole=True),
            )
        yield Note(
            message=f"{row.text.strip()[:60]} comes after the first command, so the scheduler ignores it",
            line=directive.line,
            edits=edits,
            advice="move it above the first command",
        )


def _quoted_lines(job: Job) -> set[int]:
    """Return the numbers of lines within quoted text that spans lines."""
    found: set[int] = set()
    for command in job.shell.commands:
        if command.end_line > command.line:
            found |= set(range(command.line + 1, command.end_line + 1))
    for assignment in job.shell.assignments:
        rows = assignment.value.raw.count("\n")
        found |= set(range(assignment.line + 1, assignment.line + rows + 1))
    return found


@rule("J04", "warning", "A misspelt or indented directive is a comment.")
def misspelt_directive(job: Job) -> Iterator[Note]:
    """Write directives as `#SBATCH` at the beginning of the line, without a blank after `#`.

    `# SBATCH`, `#SBTACH`, `#sbatch` and an indented `#SBATCH` are comments for sbatch. (#PBS may be indented.)
    `##SBATCH`, `# #SBATCH` and `#xSBATCH` are the usual ways to switch a directive off, and are not reported; nor is
    `# SBATCH` with an option that another line sets.

    The fix corrects a misspelt word or removes the indentation. `# SBATCH` has no fix, since it may be switched off.
    """
    script = job.script
    if not script.dialect:
        return
    right = "#SBATCH" if script.dialect == "slurm" else "#PBS"
    used = {option.name for option in script.options}
    for line in script.lines:
        if not is_comment(line.text, script.dialect):
            break
        if line.text.startswith(right) or not (found := _ALMOST.match(line.text)):
            continue
        indent, hashes, blank, word, rest = found.groups()
        if (
            hashes != "#"
            or (script.dialect == "pbs" and word == "PBS" and not blank)
            or _option_of(rest) in used
        ):
            continue
        if blank and word == right[1:]:
            yield Note(
                message=f"{line.text.strip()[:60]} is a comment: write {right} without a blank to switch it on",
                line=line.number,
                advice=f"##{right[1:]} shows that it is switched off on purpose",
            )
        elif not blank and _is_near(word, right[1:]):
            edit = Edit(line.number, 0, len(indent) + 1 + len(word), right)
            kind = "an indented directive" if word == right[1:] else f"#{word}"
            yield Note(
                message=f"{kind} is a comment: write {right} at the beginning",
                line=line.number,
                edits=(edit,),
            )


_ALMOST = re.compile(r"([ \t]*)(#+)([ \t]*)([A-Za-z]{2,8})[ \t]+(-.*)")


def _is_near(word: str, right: str) -> bool:
    if word[0] in "xX_nN":
        return False  # the usual way to switch a directive off
    near = difflib.SequenceMatcher(None, word.upper(), right).ratio()
    return word.upper() == right or (
        near >= 0.72 and word.upper() not in {"PBS", "BSUB", "SBATCH"} and len(word) > 3
    )


def _option_of(text: str) -> str:
    """Return the full name of the first option of a text."""
    found = re.match(r"--?([\w-]+)", text)
    known = table("sbatch")
    if not found:
        return ""
    if text.startswith("--"):
        return resolve(found[1], known)[0]
    return str(known.short.get(found[1][0], found[1][0]))


@rule("J53", "error", "The scheduler does not have this option.")
def unknown_option(job: Job) -> Iterator[Note]:
    """Use options that the scheduler has; `sbatch --help` and `man qsub` list them.

    sbatch refuses a script with an option that it does not know, with an abbreviation that has two meanings, with a
    value that is missing, or with one for an option that takes none. The table of options is made from the help of
    Slurm 22.05, TORQUE 6.1 and OpenPBS 23.06; options of later versions, and of plugins that many sites install
    (pyxis, Shifter), are accepted.

    Example: `#SBATCH --workdir=/scratch/me` was an option until Slurm 19.05; now it is `--chdir`.

    The fix writes the new name of an option that was renamed. It is safe.
    """
    script = job.script
    for option in script.options:
        if option.fault in {"", "stray"} or script.is_template:
            continue
        if script.dialect == "pbs" and option.value is None and not re.match(r"-[A-Za-z]", option.written):
            continue
        yield note(option, _fault(option, script.dialect), edits=_renamed(option), advice=_advice(option))


def _fault(option: Option, dialect: str) -> str:
    program = "sbatch" if dialect == "slurm" else "qsub"
    if option.fault == "unknown":
        return f"{program} has no option {option.written}"
    if option.fault == "ambiguous":
        return f"{option.written} is ambiguous: {', '.join('--' + name for name in option.candidates)}"
    if option.fault == "no value":
        return f"{option.written} needs a value"
    return f"{option.written} takes no value"


def _renamed(option: Option) -> tuple[Edit, ...]:
    new = _RENAMED.get(option.written.removeprefix("--"), "")
    if option.fault != "unknown" or new not in {"chdir", "mem-bind", "cpus-per-task", "ntasks-per-node"}:
        return ()
    return (Edit(option.line, option.start, option.start + len(option.written), f"--{new}"),)


def _advice(option: Option) -> str:
    name = option.written.lstrip("-")
    if option.fault != "unknown":
        return ""
    if name in _RENAMED:
        return f"--{_RENAMED[name]}"
    if name in _LETTERS:
        return _LETTERS[name]
    return f"did you mean --{option.candidates[0]}?" if option.candidates else ""


@rule("J54", "error", "A directive holds words that are not options.")
def stray_words(job: Job) -> Iterator[Note]:
    """Write each value next to its option, without blanks around `=`, and quote a value with blanks.

    sbatch refuses the script: `Invalid directive found in batch script`. It reads the lines as one command line and
    stops at the first word that is neither an option nor the value of one. An opening quote without a closing one is
    refused, too. qsub ignores other words, but loses what follows a blank inside a `-l` list.

    Examples: `#SBATCH --job-name = fit`, `#SBATCH --mem=4 G`, `#PBS -l nodes=1:ppn=4, walltime=1:00:00`.
    """
    script = job.script
    if script.is_template:
        return
    for directive in script.directives:
        colon = script.dialect == "slurm" and any(word.value.startswith(":") for word in directive.words)
        if directive.fault or colon:
            fault = directive.fault or "a word that begins with a colon"
            yield Note(message=f"{fault}: the scheduler refuses the line", line=directive.line)
            return
    for option in script.options:
        if option.fault != "stray":
            continue
        if script.dialect == "slurm":
            yield note(option, f"{option.written!r} is not an option", advice="quote a value that has blanks")
            return  # sbatch reads no further
        if re.match(r",?[a-z]+=\w", option.written):
            yield note(option, f"qsub ignores {option.written!r}: a list of -l has no blanks")


@rule("J66", "warning", "qsub reads the words of a comment behind a directive as arguments.")
def pbs_comment(job: Job) -> Iterator[Note]:
    """Put comments on lines of their own in PBS scripts.

    TORQUE and PBS do not know comments behind a directive. Words after `#` are further arguments: one that begins with
    `-` is an option, and a lone quote makes qsub refuse the script. Other words do no harm, and are not reported.

    Example: `#PBS -q long # not -q short` sends the job to `short`.

    The fix moves the comment to the line above. It is safe.
    """
    if job.script.dialect != "pbs":
        return
    for directive in job.script.directives:
        at = next((index for index, word in enumerate(directive.words) if word.value.startswith("#")), None)
        if at is None or directive.last_line != directive.line:
            continue
        risky = [word.value for word in directive.words[at:] if re.match(r"-[A-Za-z]", word.value)]
        if risky or directive.fault:
            row, start = job.script.lines[directive.line - 1], directive.words[at].start
            text = f"{row.text[start:]}{row.end or chr(10)}{row.text[:start].rstrip()}{row.end}"
            yield Note(
                message=f"qsub reads {risky[0] if risky else 'the quote'} in the comment",
                line=directive.line,
                column=start,
                edits=(Edit(directive.line, 0, 0, text, whole=True),),
            )


@rule("J09", "warning", "An option is set twice, and only the last value counts.")
def set_twice(job: Job) -> Iterator[Note]:
    """Set each option once.

    The last of several values counts; the first has no effect. That also holds for `--export`, whose lists do not add
    up, and for the same resource in two `-l` lines of PBS. Options that do add up (`--mail-type`), and the same value
    twice, are not reported.

    Example: `#SBATCH --export=A=1` and `#SBATCH --export=B=2`: the job has no `A`.
    """
    script = job.script
    seen: dict[tuple[str, int], Option] = {}
    for option in script.options if script.dialect == "slurm" else ():
        if option.fault or option.name in {"mail-type", "verbose", "quiet"}:
            continue
        before = seen.get((option.name, option.component))
        if before is not None and before.value != option.value:
            lost = f"{before.written} {before.value}" if before.value is not None else before.written
            yield note(option, f"this replaces {lost} of line {before.line}")
        seen[(option.name, option.component)] = option
    if script.dialect == "pbs":
        yield from _pbs_twice(job)


def _pbs_twice(job: Job) -> Iterator[Note]:
    seen: dict[str, tuple[str, Option]] = {}
    for option in job.script.options:
        if option.fault or option.value is None:
            continue
        parts = [part.partition("=")[::2] for part in option.value.split(",")] if option.name == "l" else []
        for name, value in parts or [(f"-{option.name}", option.value)]:
            before = seen.get(name)
            single = option.name == "l" or option.name in "NqAoejSPtJ"
            if single and before is not None and before[0] != value:
                yield note(option, f"{name} {value} replaces {before[0]} of line {before[1].line}")
            seen[name] = (value, option)


@rule("J07", "warning", "The scheduler does not expand variables in directives.")
def variable_in_directive(job: Job) -> Iterator[Note]:
    """Write values out; a directive is not shell code.

    sbatch takes `$HOME` and `~` as they are written, so that `--output=$HOME/logs/%j.out` names a folder called
    `$HOME`. Give the value on the command line (`sbatch --output=$HOME/logs/%j.out job.sh`), where the shell expands
    it, or use the patterns of sbatch: `%j`, `%x`, `%u`. PBS servers do expand some variables in `-o` and `-e`, so the
    rule is silent for these. A file with places to fill in is not a job script yet, and is not reported.
    """
    script = job.script
    if script.is_template:
        return
    for option in script.options:
        value = option.value or ""
        if option.fault or (script.dialect == "pbs" and option.name not in {"N", "q", "A", "l"}):
            continue
        if script.dialect == "slurm" and option.name in {
            "export",
            "comment",
            "wrap",
            "job-name",
            "mail-user",
        }:
            continue
        if re.search(r"\$[A-Za-z_{(]", value) or re.match(r"~[\w]*/", value):
            program = "sbatch" if script.dialect == "slurm" else "qsub"
            yield note(
                option, f"{value} is taken as it is written", advice=f"{program} {option.written} {value} ..."
            )


@rule("J08", "warning", "The script uses directives or variables of another scheduler.")
def other_scheduler(job: Job) -> Iterator[Note]:
    """Use the directives and variables of the scheduler that runs the job.

    In a Slurm job `PBS_O_WORKDIR` and `PBS_NODEFILE` are empty, so that `cd $PBS_O_WORKDIR` goes to the home folder. At
    a Slurm site, sbatch translates only some `#PBS` lines. A script with directives of both schedulers serves both, and
    is not reported; nor is a variable that the script sets, or uses with a default: `${PBS_O_WORKDIR:-.}`.
    """
    script = job.script
    if script.slurm_directives and script.pbs_directives:
        return
    if script.dialect == "slurm" and script.directives:
        prefix, other, name = "PBS_", "TORQUE and PBS", "Slurm"
    elif script.dialect == "pbs" and script.directives:
        prefix, other, name = "SLURM_", "Slurm", "PBS"
    else:
        lines = script.pbs_directives if script.dialect == "slurm" else script.slurm_directives
        if lines and job.site is not None:
            sentinel = lines[0].sentinel.strip()
            yield Note(
                message=f"{sentinel} is for another scheduler than that of {job.site.name}",
                line=lines[0].line,
            )
        return
    assigned = {one.name for one in job.shell.assignments}
    reported: set[str] = set()
    for use in job.shell.uses:
        if use.name.startswith(prefix) and not use.guarded and use.name not in assigned | reported:
            reported.add(use.name)
            yield Note(
                message=f"{use.name} is a variable of {other}; it is empty in a {name} job",
                line=use.line,
                column=use.start,
                advice=_EQUIVALENT.get(use.name, ""),
            )


_EQUIVALENT = {
    "PBS_O_WORKDIR": "$SLURM_SUBMIT_DIR; a Slurm job begins there",
    "PBS_JOBID": "$SLURM_JOB_ID",
    "PBS_ARRAYID": "$SLURM_ARRAY_TASK_ID",
    "PBS_ARRAY_INDEX": "$SLURM_ARRAY_TASK_ID",
    "PBS_NODEFILE": "srun starts processes on all nodes without a file",
    "SLURM_SUBMIT_DIR": "$PBS_O_WORKDIR",
    "SLURM_JOB_ID": "$PBS_JOBID",
    "SLURM_ARRAY_TASK_ID": "$PBS_ARRAYID (TORQUE), $PBS_ARRAY_INDEX (PBS Pro)",
}
