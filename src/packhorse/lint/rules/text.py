"""Rules of the file as text: line ends, characters, first line, conflict markers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.jobscript.lines import Edit
from packhorse.lint.job import Job
from packhorse.lint.rule import Note, rule

_LOOKALIKES = {
    "–": "-",
    "—": "-",
    "−": "-",
    "‐": "-",
    "‑": "-",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "\xa0": " ",
}


@rule("J05", "error", "The script has line ends or characters that the scheduler does not accept.")
def characters(job: Job) -> Iterator[Note]:
    """Save job scripts as plain text with LF line ends.

    sbatch refuses a script with Windows (CRLF) line ends, and one that begins with a byte order mark. TORQUE and PBS
    accept CRLF in directives, and the shell then fails at a carriage return: `command not found`. Dashes and quotes
    from a word processor or a web page (`–time=10`) do not work.

    Example: `#SBATCH –time=10:00` has an en dash.

    The fix replaces CRLF by LF, removes the mark, and writes plain dashes, quotes and blanks in directives. It is safe.
    """
    lines = job.script.lines
    crlf = [line for line in lines if line.end == "\r\n"]
    if crlf:
        edits = tuple(Edit(line.number, 0, 0, line.text + "\n", whole=True) for line in crlf)
        yield Note(
            message=f"Windows (CRLF) line ends on {len(crlf)} of {len(lines)} lines",
            line=crlf[0].number,
            edits=edits,
        )
    if lines and lines[0].text.startswith("\ufeff"):
        yield Note(message="the file begins with a byte order mark", line=1, edits=(Edit(1, 0, 1, ""),))
    for directive in job.script.directives:
        row = lines[directive.line - 1].text
        end = directive.comment_start if directive.comment_start >= 0 else len(row)
        for found in re.finditer("[" + "".join(_LOOKALIKES) + "]", row[:end]):
            edit = Edit(directive.line, found.start(), found.end(), _LOOKALIKES[found[0]])
            yield Note(
                message=f"{found[0]!r} (U+{ord(found[0]):04X}) looks like {_LOOKALIKES[found[0]]!r}, and is not",
                line=directive.line,
                column=found.start(),
                edits=() if crlf else (edit,),
            )


@rule("J06", "error", "The first line does not name an interpreter.")
def shebang(job: Job) -> Iterator[Note]:
    """Begin a Slurm script with `#!/bin/bash`.

    sbatch refuses a script whose first line does not begin with `#!`: not a comment, a blank line, or a directive may
    come before it. TORQUE and PBS use the user's login shell, so the rule is silent there.

    The fix moves a first line that comes too late to its place, or adds `#!/bin/bash`. It is safe for scripts in shell
    syntax.
    """
    script = job.script
    if script.dialect != "slurm" or not script.lines or script.lines[0].text.startswith(("#!", "\ufeff#!")):
        return
    if script.is_template:
        return
    first = script.lines[0]
    late = next((line for line in script.lines[:10] if line.text.lstrip().startswith("#!/")), None)
    before = "" if not first.text.strip() else first.text + first.end
    if late is None:
        yield Note(
            message="no interpreter on the first line",
            line=1,
            edits=(Edit(1, 0, 0, f"#!/bin/bash\n{first.text}{first.end}", whole=True),),
        )
        return
    edits = (
        Edit(
            1,
            0,
            0,
            f"{late.text.strip()}\n{before}" if late.number > 1 else f"{late.text.strip()}\n",
            whole=True,
        ),
        *([Edit(late.number, 0, 0, "", whole=True)] if late.number > 1 else []),
    )
    yield Note(
        message=f"the interpreter is on line {late.number}, it must be on line 1",
        line=late.number,
        edits=edits,
    )


@rule("J63", "error", "The file has the marks of a git merge that was not finished.")
def conflict(job: Job) -> Iterator[Note]:
    """Resolve the conflict: `<<<<<<<`, `=======` and `>>>>>>>` are not shell commands.

    Example: a script committed in the middle of a merge runs both versions, and fails at the marks.
    """
    for line in job.script.lines:
        if re.match(r"(<{7}|>{7}) \S", line.text):
            yield Note(message="a mark of an unfinished git merge", line=line.number, advice="git mergetool")


@rule("J50", "warning", "The script holds a secret.")
def secret(job: Job) -> Iterator[Note]:
    """Keep tokens and passwords out of job scripts.

    The scheduler stores the script where administrators, and on some sites all users, can read it; scripts also end in
    git. Put `export WANDB_API_KEY=...` into a file that only you can read (`chmod 600`), and `source` it.
    """
    for line in job.script.lines:
        if line.text.lstrip().startswith("#") and "=" not in line.text:
            continue
        found = _SECRET.search(line.text)
        if found and not re.search(r"(?i)your|xxx|example|<|\.\.\.|\*\*\*|dummy|changeme", found[0]):
            yield Note(
                message=f"{found[0][:12]}... looks like a secret",
                line=line.number,
                column=found.start(),
                advice="source a file with mode 600",
            )


_SECRET = re.compile(
    r"\b(?:ghp_\w{30,}|github_pat_\w{30,}|hf_[A-Za-z]{30,}|sk-[A-Za-z0-9-]{30,}|AKIA[0-9A-Z]{16}|xox[bp]-[\w-]{20,}"
    r"|glpat-[\w-]{20,}|(?:WANDB_API_KEY|HF_TOKEN|COMET_API_KEY|NEPTUNE_API_TOKEN|OPENAI_API_KEY)=[\"']?[\w-]{20,})"
)
