"""What a job script asks for and runs, as far as a study must know: indices, request, variables, and why it is refused."""

from __future__ import annotations

import functools
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence

from packhorse.jobscript.lines import Edit, apply_edits
from packhorse.jobscript.read_shell import read_shell
from packhorse.jobscript.script import JobScript
from packhorse.jobscript.shell import Arg, Command, Shell
from packhorse.jobscript.values import Indices, array_indices
from packhorse.model.errors import UsageError
from packhorse.model.job import Request
from packhorse.schedulers.pbs.header import read_header as read_pbs
from packhorse.schedulers.slurm.header import read_header as read_slurm

INDEX_NAMES = {
    "slurm": ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAYID"),
    "torque": ("PBS_ARRAYID",),
    "openpbs": ("PBS_ARRAY_INDEX",),
    "sge": ("SGE_TASK_ID",),
}
ALL_INDEX_NAMES = tuple(name for names in INDEX_NAMES.values() for name in names)
_SUBMITTERS = {"sbatch", "qsub", "bsub", "salloc", "condor_submit", "qalter", "qrls"}
_NODE_LISTS = ("PBS_NODEFILE", "PE_HOSTFILE", "SLURM_TASKS_PER_NODE")
_SGE_ARRAY = re.compile(r"^#\$[ \t]+-t[ \t]+(\S+)", re.MULTILINE)
_LSF = re.compile(r"^#BSUB[ \t]+-", re.MULTILINE)
_PREPARES = {
    "module",
    "ml",
    "cd",
    "echo",
    "set",
    "source",
    ".",
    "date",
    "hostname",
    "pwd",
    "mkdir",
    "sleep",
    "wait",
}
_NO_FILES = {"/dev/null", "&1", "&2", "1", "2"}  # as targets of a redirection
_FUNCTION = re.compile(
    r"^[ \t]*(?:function[ \t]+[\w-]+[ \t]*(?:\(\))?|[\w-]+[ \t]*\(\))\s*\{.*?^[ \t]*\}",
    re.MULTILINE | re.DOTALL,
)
MOST_INDICES = 100_000


class AdoptedJob:
    """A job script to make a study of; `arguments` are those after it on the submit line.

    `in_sources` says whether a source file of its project, other than the script, has a name; `given` are variables of
    the submit line.
    """

    def __init__(
        self,
        script: JobScript,
        arguments: Sequence[str],
        array: str,
        in_sources: Callable[[str], bool],
        given: Mapping[str, str] | None = None,
    ) -> None:
        self.script, self.arguments, self.array = script, tuple(arguments), array
        self.given = dict(given or {})
        self.in_sources = in_sources

    def mentions(self, name: str) -> bool:
        """Return whether the script or a source file has a name."""
        return re.search(rf"\b{re.escape(name)}\b", self._uncommented) is not None or self.in_sources(name)

    @functools.cached_property
    def shell(self) -> Shell:
        """The shell lines; nothing for a body of another language."""
        return read_shell(self.script.text) if self.is_shell else Shell()

    @functools.cached_property
    def is_shell(self) -> bool:
        """Whether the body is for a shell."""
        return self.script.is_shell or (
            not self.script.interpreter and self.script.path.endswith((".sh", ".sge"))
        )

    @functools.cached_property
    def family(self) -> str:
        """The scheduler whose variables the script reads: slurm, torque, openpbs or sge."""
        if self.script.dialect == "slurm":
            return "slurm"
        if self.script.dialect == "pbs":
            return self.script.flavour
        if re.search(r"^#\$[ \t]+-", self.script.text, re.MULTILINE):
            return "sge"
        named = (one for one, names in INDEX_NAMES.items() if any(name in self.script.text for name in names))
        return next(named, "slurm")

    @functools.cached_property
    def request(self) -> Request:
        """What its header asks for."""
        if self.script.dialect == "pbs":
            return read_pbs(self.script.text).request
        return read_slurm(self.script.text).request

    @functools.cached_property
    def start(self) -> str:
        """The folder in which the scheduler starts it, where the header names one."""
        name = {"slurm": "chdir", "pbs": "d" if self.script.flavour == "torque" else "w"}.get(
            self.script.dialect, ""
        )
        return self.script.value(name) if name else ""

    # --- The array ---

    @functools.cached_property
    def array_text(self) -> str:
        """The array's indices as written, on the command line or else in the header."""
        if self.array:
            return self.array
        if self.script.dialect == "slurm":
            return self.script.value("array")
        if self.script.dialect == "pbs":
            return self.script.value("J" if self.script.flavour == "openpbs" else "t")
        match = _SGE_ARRAY.search(self.script.text)
        return match[1] if match else ""

    @functools.cached_property
    def indices(self) -> Indices | None:
        """The indices of the array; None where there is none. Raises UsageError where they cannot be read."""
        if not self.array_text:
            return None
        found = array_indices(self.array_text)
        if found is None:
            raise UsageError(
                f"the indices of the array, {self.array_text!r}, cannot be read",
                f"packhorse adopt --array 1-200 {self.script.path}",
            )
        if found.count > MOST_INDICES:
            raise UsageError(f"the array has {found.count:,} indices; the limit is {MOST_INDICES:,}")
        return found

    @functools.cached_property
    def values(self) -> list[int]:
        """The indices in order, each once."""
        if self.indices is None:
            return []
        return list(dict.fromkeys(value for one in self.indices.ranges for value in one))

    @functools.cached_property
    def index_names(self) -> tuple[str, ...]:
        """The variables of the index that the script or its sources read, that of its scheduler first."""
        own = INDEX_NAMES[self.family]
        others = [name for name in ALL_INDEX_NAMES if name not in own]
        return tuple(name for name in (*own, *others) if self.mentions(name))

    # --- Variables of the scheduler ---

    @functools.cached_property
    def constants(self) -> dict[str, str]:
        """The scheduler's variables with one value for all tasks, as far as the header tells them."""
        asked, script = self.request, self.script
        cores = self.cores
        known = {
            "SLURM_CPUS_PER_TASK": script.value("cpus-per-task"),
            "SLURM_CPUS_ON_NODE": str(cores),
            "SLURM_JOB_CPUS_PER_NODE": str(cores),
            "SLURM_NTASKS": script.value("ntasks") or str(asked.tasks),
            "SLURM_NPROCS": script.value("ntasks") or str(asked.tasks),
            "SLURM_NTASKS_PER_NODE": script.value("ntasks-per-node"),
            **dict.fromkeys(("SLURM_NNODES", "SLURM_JOB_NUM_NODES", "PBS_NUM_NODES"), "1"),
            **dict.fromkeys(("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"), "0"),
            **dict.fromkeys(("SLURM_JOB_NAME", "PBS_JOBNAME", "JOB_NAME"), asked.name or self.script_name),
            **dict.fromkeys(("PBS_NUM_PPN", "PBS_NP", "NCPUS", "NSLOTS"), str(cores)),
            "SLURM_JOB_PARTITION": asked.partition,
            "PBS_QUEUE": asked.partition,
            "PBS_ENVIRONMENT": "PBS_BATCH",
            "SLURM_MEM_PER_NODE": str(asked.memory or ""),
            "SLURM_MEM_PER_CPU": str(asked.core_memory or ""),
            **self._array_constants(),
            **self.given,
        }
        return {name: value for name, value in known.items() if value}

    def _array_constants(self) -> dict[str, str]:
        values = self.values
        if not values or self.indices is None:
            return {}
        steps = {one.step for one in self.indices.ranges if len(one) > 1}
        step = str(min(steps)) if steps else "1"
        first, last = str(self.indices.first), str(self.indices.last)
        return {
            "SLURM_ARRAY_TASK_COUNT": str(len(values)),
            "SLURM_ARRAY_TASK_MIN": first,
            "SLURM_ARRAY_TASK_MAX": last,
            "SLURM_ARRAY_TASK_STEP": step,
            "SGE_TASK_FIRST": first,
            "SGE_TASK_LAST": last,
            "SGE_TASK_STEPSIZE": step,
        }

    @functools.cached_property
    def own_variables(self) -> dict[str, str]:
        """The scheduler's variables that differ between tasks or machines, as words of a shell.

        Job numbers are made of the script's name and the task's index, so that a repeated task has the same ones.
        """
        base = 100_000_000 + zlib.crc32(self.script_name.encode()) % 800_000_000
        job = f"$(({base} + 1 + PACKHORSE_INDEX))"
        folders = ("SLURM_SUBMIT_DIR", "PBS_O_WORKDIR", "PBS_O_INITDIR", "SGE_O_WORKDIR")
        nodes = ("SLURM_JOB_NODELIST", "SLURM_NODELIST", "SLURMD_NODENAME")
        known = {
            **dict.fromkeys(folders, '"$PWD"'),
            **dict.fromkeys(nodes, '"$(hostname)"'),
            **dict.fromkeys(("SLURM_TMPDIR", "PBS_JOBFS"), '"$TMPDIR"'),
            **dict.fromkeys(("SLURM_JOB_ID", "SLURM_JOBID"), job),
            "SLURM_ARRAY_JOB_ID": str(base),
            "PBS_JOBID": f'"{job}.packhorse"' if self.family != "sge" else "",
            "JOB_ID": str(base) if self.family == "sge" else "",
        }
        return {name: value for name, value in known.items() if value}

    @property
    def script_name(self) -> str:
        """The file's name."""
        return self.script.path.rpartition("/")[2]

    @functools.cached_property
    def cores(self) -> int:
        """CPU cores of one task; several processes of a job on one node share them."""
        return max(1, self.request.cores)

    @functools.cached_property
    def memory(self) -> int | None:
        """MiB of one task, or None."""
        asked = self.request
        return asked.memory or (asked.core_memory and asked.core_memory * self.cores)

    # --- What it runs ---

    @functools.cached_property
    def uses_arguments(self) -> bool:
        """Whether the script reads arguments of the submit line; those of its own functions and of `set --` are not."""
        if re.search(r"\bset[ \t]+--", self._uncommented):
            return False
        inner = _FUNCTION.sub(lambda match: "\n" * match[0].count("\n"), self._uncommented)
        inner = re.sub(r"'[^']*'", "", inner)
        return re.search(r"\$(?:[1-9]|\{[1-9]\d*\}|@|\*|\{@\}|\{\*\})", inner) is not None

    @functools.cached_property
    def _uncommented(self) -> str:
        return re.sub(r"^[ \t]*#.*$", "", self.script.text, flags=re.MULTILINE)

    def refusals(self) -> Iterator[str]:
        """Yield a sentence for each reason why there cannot be a right study of the script."""
        name = self.script_name
        if self.script.is_template:
            yield f"{name} is a template with places to fill in, not a job script"
            return
        if _LSF.search(self.script.text):
            yield f"{name} is for LSF, whose directives Packhorse does not read"
        if self.script.dialect == "slurm" and any(one.component for one in self.script.options):
            yield f"{name} is a heterogeneous job; a task has one request"
        if self.request.nodes > 1 and not self.ranks:
            yield f"{name} asks for {self.request.nodes} nodes, but a task has one"
        if self.shell.available and not self.shell.errors and self.is_shell and not self._programs():
            yield f"{name} starts no program"
        yield from self._refused_orders()
        yield from self._refused_commands()
        for variable in _NODE_LISTS:
            if re.search(rf"\$\{{?{variable}\b", self._uncommented):
                yield f"{name} reads {variable}, which only a job of its scheduler has"

    def _programs(self) -> list[str]:
        """Return the commands that do work: programs, and whatever writes a file."""
        return [
            one.name
            for one in self.shell.commands
            if one.name not in _PREPARES
            or any(mark.startswith(">") and target not in _NO_FILES for mark, target in one.redirects)
        ]

    def _refused_orders(self) -> Iterator[str]:
        """Yield the reasons for which its tasks have an order."""
        if self.indices and self.indices.at_a_time == 1 and len(self.values) > 1:
            yield (
                f"the array {self.array_text} runs one index at a time, so each may need what the one before it wrote;"
                " where they do not, give the indices: --array " + self.array_text.partition("%")[0]
            )
        dependency = self.script.value("dependency")
        if dependency and dependency != "singleton":
            yield f"{self.script_name} waits for another job (--dependency={dependency})"

    def _refused_commands(self) -> Iterator[str]:
        for command in self.shell.commands:
            program = command.program[0].text.rpartition("/")[2] if command.program else ""
            if program in _SUBMITTERS and not command.where.function:
                yield f"line {command.line}: it submits jobs ({program})"
            if program == "scontrol" and "requeue" in command.text:
                yield f"line {command.line}: it requeues itself"
            ranks = self._ranks_of(command) if command.launcher == "srun" and not self.ranks else 1
            if ranks > 1:
                yield f"line {command.line}: srun starts {ranks} processes of one program, which a task cannot"

    def _ranks_of(self, command: Command) -> int:
        """Return how many processes an srun starts: as its own -n says, else as the job."""
        before = " ".join(word.text for word in command.words[: len(command.words) - len(command.program)])
        match = re.search(r"(?:-n[ =]?|--ntasks[ =]|--nt?asks=)(\d+)", before)
        if match:
            return int(match[1])
        return int(self.script.value("ntasks") or 0) or self.request.tasks * self.request.nodes

    @functools.cached_property
    def ranks(self) -> int:
        """How many processes its one srun starts that each take their part by SLURM_PROCID; 0 where it does not.

        Each is a task of its own, since processes that know only their number do not talk to each other.
        """
        launched = [one for one in self.shell.commands if one.launcher == "srun"]
        if len(launched) != 1 or self.indices or not self.mentions("SLURM_PROCID"):
            return 0
        talks = (
            "mpi4py",
            "MPI_",
            "Rmpi",
            "torch.distributed",
            "init_process_group",
            "pbdMPI",
            "MASTER_ADDR",
            "horovod",
        )
        count = self._ranks_of(launched[0])
        return 0 if count < 2 or any(map(self.mentions, talks)) else count

    # --- Edits without which it cannot run as a task ---

    @functools.cached_property
    def edits(self) -> tuple[Edit, ...]:
        """The changes without which the script cannot run as a task: srun needs the environment of a job."""
        found: list[Edit] = []
        for command in self.shell.commands:
            names = [word.text for word in command.words]
            if "srun" in names[: len(names) - len(command.program)]:
                first = command.words[names.index("srun")]
                target = self._after_srun(command)
                if target is not None:
                    found += self._without(first, target)
        return tuple(found)

    def _without(self, first: Arg, target: Arg) -> Iterator[Edit]:
        """Yield the edits that remove what is between two words; a backslash at the end of a line stays."""
        if target.line == first.line:
            yield Edit(first.line, first.start, target.start, "")
            return
        for line in self.script.lines[first.line - 1 : target.line - 1]:
            start = first.start if line.number == first.line else 0
            yield Edit(line.number, start, line.text.rindex("\\"), "")
        yield Edit(target.line, 0, target.start, "")

    @staticmethod
    def _after_srun(command: Command) -> Arg | None:
        names = [word.text for word in command.words]
        rest = Command(
            words=command.words[names.index("srun") :], line=command.line, start=0, end_line=command.end_line,
            where=command.where,
        )  # fmt: skip
        return rest.program[0] if rest.program and rest.program[0] is not rest.words[0] else None

    def edited(self, edits: Sequence[Edit]) -> str:
        """Return the script with edits."""
        return apply_edits(self.script.lines, edits)
