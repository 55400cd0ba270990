"""Rewrite a job script for another scheduler; comments and layout stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse.jobscript.directives import Directive, is_comment
from packhorse.jobscript.lines import Edit, apply_edits, join_lines, split_lines
from packhorse.jobscript.options import Option
from packhorse.jobscript.read_shell import read_shell
from packhorse.jobscript.script import JobScript
from packhorse.translate import write_pbs, write_slurm
from packhorse.translate.commands import commands
from packhorse.translate.kept import MARK, Kept, with_kept
from packhorse.translate.read_pbs import Purpose, read_pbs
from packhorse.translate.read_slurm import read_slurm
from packhorse.translate.request import TITLES, Asked, Cores, Item, Note, Scheduler, Written
from packhorse.translate.site_names import SiteNames
from packhorse.translate.variables import Body, Replacement, exports, rename, table

_LAUNCHES = re.compile(r"\b(mpirun|mpiexec|mpiexec\.hydra|pbsdsh|aprun|orterun)\b")
_COUNTS = re.compile(r"\bPBS_(NODEFILE|NP)\b")  # in TORQUE a line for each core
# Commands before which the folder does not matter.
_ANYWHERE = {
    "module",
    "ml",
    "export",
    "set",
    "source",
    ".",
    "echo",
    "date",
    "hostname",
    "ulimit",
    "umask",
    "unset",
}
_THREADS = re.compile(r"\b(?:OMP|MKL|OPENBLAS)_NUM_THREADS=\"?(\d+|\$\{?(?:PBS_NUM_PPN|NCPUS|PBS_NP)\b)?")


class Translation(Struct, frozen=True, kw_only=True):
    """A script for another scheduler, and what to know of it."""

    text: Annotated[str, Meta(description="The script.")]
    source: Annotated[Scheduler, Meta(description="The scheduler for which it was written.")]
    notes: Annotated[tuple[Note, ...], Meta(description="By line.")]


def translate(
    script: JobScript,
    to: Scheduler,
    cores: Cores = "",
    sources: Mapping[str, str] | None = None,
    names: SiteNames | None = None,
) -> Translation:
    """Return the script for scheduler `to`.

    `cores` says what ppn cores are for; `sources` are the texts of the programs that it runs; `names` has the names
    of a site.
    """
    source: Scheduler = "slurm" if script.dialect == "slurm" else script.flavour
    asked = _asked(script, source, cores)
    asked, kept = with_kept(script, asked, to)
    return _Writer(script, source, to, asked, kept, names).result(sources or {})


def purpose(script: JobScript, cores: Cores) -> Purpose:
    """Return what the cores of a node are for, by what the script does."""
    body = "\n".join(line.text for line in script.lines if not line.text.lstrip().startswith("#"))
    counts = script.flavour == "torque" and _COUNTS.search(body)
    launches = bool(_LAUNCHES.search(body) or counts)
    threads = _THREADS.search(body)
    number = int(threads[1]) if threads and (threads[1] or "").isdigit() else 1
    if cores:
        return Purpose(cores, threads=number)
    if launches:
        return Purpose("ranks", threads=number)
    return Purpose("threads", certain=threads is not None and threads[1] is not None)


def _asked(script: JobScript, source: Scheduler, cores: Cores) -> Asked:
    if source == "slurm":
        asked = read_slurm(script.options)
        implied = [] if asked.has("export") else [Item(kind="export", value="ALL", line=0, written="")]
        if write_pbs.joins(asked):
            implied.append(Item(kind="join", value="oe", line=0, written=""))
        return replace(asked, items=(*asked.items, *implied))
    return read_pbs(script.options, purpose(script, cores))


class _Writer:
    def __init__(
        self,
        script: JobScript,
        source: Scheduler,
        to: Scheduler,
        asked: Asked,
        kept: dict[int, Kept],
        names: SiteNames | None,
    ) -> None:
        self.script, self.source, self.to, self.asked, self.kept, self.names = (
            script,
            source,
            to,
            asked,
            kept,
            names,
        )
        self.notes: list[Note] = list(asked.notes)
        self.body: list[str] = []  # lines to add before the first command
        self.sentinel, self.old = ("#SBATCH", "#PBS") if to == "slurm" else ("#PBS", "#SBATCH")
        if to != "slurm" and source != "slurm":
            self.old = "#PBS"
        self.resources_written = False
        self.first = max((one.last_line for one in script.directives), default=0) + 1

    def result(self, sources: Mapping[str, str]) -> Translation:
        if self.source == self.to:
            text = self._same()
            return Translation(text=text, source=self.source, notes=tuple(sorted(set(self.notes))))
        rows = self._commands()
        head = self._head()
        defined = {}
        if any(line.startswith("array_index=") for line in self.body):
            names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAYID", "PBS_ARRAYID")
            defined = dict.fromkeys(names, "array_index")
        replacements = table(self.source, self.to, self.asked, defined)
        own = self._assigned()
        body = rename(rows, self.first, self.source, self.to, replacements, own)
        self.notes += body.notes
        self._setup(body)
        self._exports(sources, replacements)
        text = self._assemble(head, body.lines)
        return Translation(text=text, source=self.source, notes=tuple(sorted(set(self.notes))))

    def _assigned(self) -> set[str]:
        shell = read_shell(self.script.text) if self.script.is_shell else None
        return {one.name for one in shell.assignments} if shell else set()

    def _commands(self) -> tuple[str, ...]:
        if not self.script.is_shell:
            return tuple(line.text for line in self.script.lines)
        shell = read_shell(self.script.text)
        edits = list[Edit]()
        if self.source != self.to:
            changes = commands(shell, self.first, self.source, self.to, self.asked, self._call_options)
            self.notes += changes.notes
            edits += changes.edits
        if self.names:
            modules, notes = self.names.modules(shell)
            edits += modules
            self.notes += notes
        text = apply_edits(self.script.lines, edits)
        return tuple(line.text for line in split_lines(text))

    def _call_options(self, options: Sequence[Option], line: int) -> tuple[list[str], list[Note]]:
        """Return the options of a call of sbatch or qsub as those of the other, and what is lost."""
        options = [replace(one, line=line) for one in options]
        slurm = self.source == "slurm"
        asked = read_slurm(options) if slurm else read_pbs(options, Purpose("threads"))
        notes, written = list(asked.notes), list[str]()
        if any(item.kind == "resources" for item in asked.items):
            shape = self._resources(asked, line)
            written += shape.options
            notes += shape.notes
        for item in asked.items:
            if item.kind != "resources":
                one = self._write(item, asked)
                written += one.options
                notes += one.notes
        return written, notes

    # --- The head ---

    def _resources(self, asked: Asked, line: int) -> Written:
        if self.to == "slurm":
            return Written(options=tuple(write_slurm.resources(asked.resources)))
        return write_pbs.resources(asked.resources, self.to, line)

    def _write(self, item: Item, asked: Asked) -> Written:
        if item.kind == "" and "slurm" in {self.to, self.source}:
            return write_slurm.lost(item, item.why)
        if self.to == "slurm":
            return write_slurm.write(item, asked)
        return write_pbs.write(item, asked, self.to)

    def _head(self) -> dict[int, list[str]]:
        """Return the lines that take the place of each directive, by its line."""
        items: dict[int, list[Item]] = {}
        for item in self.asked.items:
            items.setdefault(item.line, []).append(item)
        head = {}
        for directive in self.script.directives:
            here = [
                item
                for line in range(directive.line, directive.last_line + 1)
                for item in items.get(line, [])
            ]
            head[directive.line] = self._directive(directive, here)
        return head

    def _directive(self, directive: Directive, items: Iterable[Item]) -> list[str]:
        rows, marks = list[str](), list[str]()
        for item in items:
            if item.kind == "resources":
                if self.resources_written:
                    continue
                self.resources_written = True
                written = self._resources(self.asked, item.line)
            else:
                named, notes = self.names.item(item) if self.names else (item, [])
                self.notes += notes
                if named is None:
                    continue
                written = self._write(named, self.asked)
            rows += [f"{self.sentinel} {option}" for option in written.options]
            shapes = item.kind == "resources"
            old = "#SBATCH" if shapes else self.old
            marks += [f"#{old} {text}{MARK}{why}" for text, why in written.kept]
            self.body += written.body
            self.notes += written.notes
        comment = directive.comment
        if comment and rows and self.to == "slurm":
            rows[0] += f"  {comment}"
        elif comment:
            rows.insert(0, comment if comment.startswith("# ") else f"# {comment.lstrip('#')}")
        return [*rows, *marks]

    def _implied(self) -> list[str]:
        """Return the directives for what one scheduler does by itself and the other does not."""
        if self.source == "slurm":
            items = [one for one in self.asked.items if not one.line and one.kind in {"export", "join"}]
            return [f"#PBS {option}" for item in items for option in self._write(item, self.asked).options]
        if self.to != "slurm":
            return []
        files = write_slurm.default_files(self.asked) if self.script.directives else []
        mail = self.asked.has("mail_to") and not self.asked.has("mail_when")
        return [f"#SBATCH {option}" for option in [*files, *(["--mail-type=FAIL"] if mail else [])]]

    # --- The body ---

    def _setup(self, body: Body) -> None:
        """Add what the other scheduler does before the first command: the folder, and the list of nodes."""
        folder = self._first_folder(body)
        if self.source == "slurm":
            moved = any(line.startswith("cd ") for line in self.body) or self.asked.has("folder")
            if not moved and "PBS_O_WORKDIR" not in folder:
                self.body.insert(0, 'cd "$PBS_O_WORKDIR" || exit')
        elif self.to == "slurm" and not folder and not self.asked.has("folder"):
            self.body.insert(0, 'cd "$HOME" || exit')
            self.notes.append(
                Note(
                    self.first,
                    "changed",
                    "PBS starts a job in the home folder, Slurm where it was sent: cd added",
                )
            )
        if body.nodefile:
            self.body += [
                "PBS_NODEFILE=$(mktemp)",
                'srun hostname | sort > "$PBS_NODEFILE"',
            ]

    def _first_folder(self, body: Body) -> str:
        """Return the cd with which the script begins, before any command to which the folder matters."""
        if not self.script.is_shell:
            found = re.search(r"^\s*cd\s+(\S+)", "\n".join(body.lines[self.first - 1 :]), re.MULTILINE)
            return found[1] if found and self.script.interpreter in {"csh", "tcsh"} else ""
        for command in read_shell("\n".join(body.lines)).commands:
            if command.name in {"cd", "pushd"} and not command.where.conditional:
                return command.text
            if command.name not in _ANYWHERE and not command.where.substitution:
                return ""
        return ""

    def _exports(self, sources: Mapping[str, str], replacements: Mapping[str, Replacement]) -> None:
        lines, lost = exports(sources, self.source, self.to, replacements)
        self.body += lines
        for program, name in lost:
            self.notes.append(Note(self.first, "lost", f"{program} reads {name}, which has no equivalent"))

    def _assemble(self, head: dict[int, list[str]], rows: Sequence[str]) -> str:
        """Return the script: its lines, with others in place of the directives, and lines before the first command."""
        lines = self.script.lines
        start, last = self._first_command(), max(head, default=0)
        self._leave_to_user(start)
        result: list[str] = []
        for line, row in zip(lines, rows, strict=True):
            if line.number == start:
                result += self._added(result)
            result += self._line(line.number, row, head)
            result += self._implied() if line.number == last else []
        if start > len(lines):
            result += self._added(result)
        return self._shebang("\n".join(result) + (lines[-1].end if lines else ""))

    def _leave_to_user(self, start: int) -> None:
        """Turn lines of the shell into notes where the script is for another interpreter."""
        if not self.script.is_shell and self.script.interpreter not in {"csh", "tcsh"}:
            text = "the script is not for a shell; let it do the same as: "
            self.notes += [Note(start, "lost", text + line) for line in self.body]
            self.body = []

    def _line(self, number: int, row: str, head: dict[int, list[str]]) -> list[str]:
        """Return what takes the place of a line."""
        if number in head:
            return head[number]
        if number in self.kept:
            return [self.kept[number].text] if self.kept[number].text else []
        inside = any(one.line < number <= one.last_line for one in self.script.directives)
        return [] if inside else [self._other(number, row)]

    def _added(self, before: Sequence[str]) -> list[str]:
        lines = [
            f"{line}{MARK}{TITLES[self.source]} did this" if line.startswith("cd ") else line
            for line in self.body
        ]
        if not lines:
            return []
        return [*([""] if before and before[-1].strip() else []), *lines, ""]

    def _first_command(self) -> int:
        """Return the line of the first command, after the head."""
        for line in self.script.lines[self.first - 1 :]:
            if not is_comment(line.text, "slurm"):
                return line.number
        return len(self.script.lines) + 1

    def _other(self, number: int, row: str) -> str:
        """Return a line that is not a directive of this script; one of the other scheduler would be read twice."""
        if number < self._first_command() and re.match(
            r"#SBATCH\b" if self.to == "slurm" else r"\s*#PBS", row
        ):
            self.notes.append(
                Note(
                    number, "changed", "a directive for the other scheduler was there already; it is disabled"
                )
            )
            return f"#{row.lstrip()}"
        if re.match(rf"\s*{self.old}\b", row):
            self.notes.append(
                Note(number, "lost", f"{self.old} here is not in the head: a comment, or of another script")
            )
        return row

    def _shebang(self, text: str) -> str:
        """Return a text with the interpreter that PBS reads from -S, or takes for granted."""
        shell = self.asked.first("shell").partition(",")[0]
        if self.to != "slurm":
            return text
        if not text.startswith("#!"):
            return f"#!{shell or '/bin/bash'}\n{text}"
        if shell and not text.startswith(f"#!{shell}"):
            return f"#!{shell}\n" + text.partition("\n")[2]
        return text

    # --- Another site with the same scheduler ---

    def _same(self) -> str:
        """Return the script with the names of another site."""
        items = [item for item in self.asked.items if item.line]
        changed: dict[int, list[tuple[Item, Item | None]]] = {}
        for item in items:
            named, notes = self.names.item(item) if self.names else (item, [])
            self.notes += notes
            if named != item:
                changed.setdefault(item.line, []).append((item, named))
        rows = []
        for line, row in zip(self.script.lines, self._commands(), strict=True):
            text = row
            for before, after in changed.get(line.number, []):
                at = re.search(rf"(?<![\w.-]){re.escape(before.value)}(?![\w.-])", text)
                if after and at:
                    text = text[: at.start()] + after.value + text[at.end() :]
            rows.append(replace(line, text=text))
        return join_lines(rows)
