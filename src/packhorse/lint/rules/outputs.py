"""Rules of results: files that tasks write at the same time, or that are gone after the job."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from packhorse.jobscript.lines import Edit
from packhorse.jobscript.shell import Command, Where
from packhorse.lint.job import Job, note, source_of
from packhorse.lint.rule import Note, rule
from packhorse.lint.source import PythonSource

_OUT = re.compile(r"--?(?:o|out|output|outdir|outfile|save|results?)(?:[-_]?(?:dir|file|path|folder))?")
_WRITERS = (
    r"(?:write\.csv2?|write\.table|saveRDS|write_csv|write_rds|fwrite|ggsave|pdf|png|save)\([^\n]*?"
    r"\"([^\"\n%]+\.(?:csv|tsv|txt|rds|RDS|RData|rda|pdf|png))\""
)
_CHANGES = r"(?i)\binsert\s+(?:or\s+\w+\s+)?into\b|\bcreate\s+table\b|\bto_sql\b|\bupdate\s+\w+\s+set\b"
_METHODS = frozenset(["to_csv", "to_parquet", "to_pickle", "to_json", "to_excel", "to_feather", "savefig"])
_FIRST = frozenset(["numpy.save", "numpy.savez", "numpy.savez_compressed", "numpy.savetxt"])
_SECOND = frozenset(["joblib.dump", "torch.save"])


def written_paths(command: Command) -> Iterator[tuple[str, str]]:
    """Yield the paths that a command is told to write, as written, and how: >, >> or the option."""
    for mark, target in command.redirects:
        if mark in {">", ">>", "&>", "&>>", ">|"}:
            yield target.strip("\"'"), mark
    tokens = [word.text.strip("\"'") for word in command.program]
    for index, word in enumerate(tokens):
        name, equals, value = word.partition("=")
        if _OUT.fullmatch(name):
            if equals:
                yield value.strip("\"'"), name
            elif index + 1 < len(tokens):
                yield tokens[index + 1], name


def _shared(path: str) -> bool:
    """Return whether a path is the same file for all tasks: no variable, and no file of the node."""
    return bool(path) and not re.search(r"[$`*?{&]|^/(?:dev|tmp)/", path)


def _tasks_have_folders(job: Job) -> bool:
    """Return whether the script, or a program, goes to a folder that may be the task's own."""
    return job.mentions(
        r"(?m)^\s*(?:cd|pushd)\s+\S*\$(?!\{?(?:SLURM_SUBMIT_DIR|PBS_O_WORKDIR|HOME)\b)|\bchdir\(|\bsetwd\("
    )


@rule("J35", "warning", "All tasks of the array write one file.")
def shared_result(job: Job) -> Iterator[Note]:
    """Put the index into the names of results: `results/fit_${SLURM_ARRAY_TASK_ID}.csv`.

    All tasks write the same file, and the last one wins; the results of the others are lost, without a message.

    Example: `python fit.py $SLURM_ARRAY_TASK_ID > result.txt`, or `frame.to_csv("result.csv")` in `fit.py`.

    The rule sees constant names, in redirections and in the source. It is silent where a folder may be the task's own,
    for what only some tasks write (`if`), and for files of the node (/tmp).
    """
    names: dict[str, list[str]] = {}
    for command, program, name, how in _array_writes(job):
        if how == "w" and not program:
            yield _at(command, f"every task of the array writes {name}", "put the index into the name")
        elif how == "w" and name not in names.setdefault(program, []):
            names[program].append(name)
    for command in job.programs:
        program = source_of(command)
        if listed := ", ".join(names.pop(program, ())):
            yield _at(
                command,
                f"{program} writes {listed} in every task of the array",
                "put the index into the name",
            )


def _array_writes(job: Job) -> Iterator[tuple[Command, str, str, str]]:
    """Yield the files with constant names that all tasks of an array write.

    Each is the command, its program where that names the file (empty: the shell does), the name, and how: w, a, sqlite.
    """
    if not job.many_tasks or _tasks_have_folders(job):
        return
    for command in job.programs:
        if command.where not in {Where(), Where(loop=command.where.loop)}:
            continue  # in a branch, a function, a subshell
        for mark, target in command.redirects:
            if mark.strip("&|") in {">", ">>"} and _shared(target):
                yield command, "", target, "a" if ">>" in mark else "w"
        program = source_of(command)
        if job.every_source_is_known:
            writes = _source_writes(program, job.sources[program])
            yield from ((command, program, name, how) for name, how in writes if _shared(name))


def _at(command: Command, message: str, advice: str = "") -> Note:
    return Note(message=message, line=command.line, column=command.start, advice=advice)


def _source_writes(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield the constant names of files that a program always writes, and w, or a where it appends."""
    if PurePosixPath(path).suffix.lower() == ".py":
        source = PythonSource(text)
        for call in _unconditional_calls(source.tree):
            yield from _python_write(call, source)
    else:
        for line in text.splitlines():
            if found := re.match(_WRITERS, line):
                appends = re.search(r"append\s*=\s*T(?:RUE)?\b", line)
                if not re.search(r"paste0?\(|sprintf\(|glue\(", line):
                    yield found[1], "a" if appends else "w"


def _unconditional_calls(node: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls outside of if, but for the main guard."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "__name__" not in ast.dump(child.test):
            continue
        if isinstance(child, ast.Call):
            yield child
        yield from _unconditional_calls(child)


def _python_write(call: ast.Call, source: PythonSource) -> Iterator[tuple[str, str]]:
    texts = [
        one.value if isinstance(one, ast.Constant) and isinstance(one.value, str) else None
        for one in call.args
    ]
    keywords = {
        one.arg: one.value.value
        for one in call.keywords
        if isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)
    }
    first, second = (*texts, None, None)[:2]
    name = source.name(call.func)
    if isinstance(call.func, ast.Name) and call.func.id == "open":
        mode = second or keywords.get("mode", "r")
        if first and mode.startswith(("w", "a")):
            yield first, mode[0]
    elif isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS and first:
        yield first, "a" if keywords.get("mode", "w").startswith("a") else "w"
    elif name in _FIRST and first:
        yield first, "w"
    elif name in _SECOND and second:
        yield second, "w"
    elif name == "sqlite3.connect" and first and first != ":memory:" and re.search(_CHANGES, source.text):
        yield first, "sqlite"


@rule("J46", "warning", "All tasks of the array add to one file.")
def shared_append(job: Job) -> Iterator[Note]:
    """Let each task write a file of its own, and join them when all have ended.

    File systems of clusters do not order what several nodes append to one file: lines are lost or mixed. SQLite relies
    on locks that network file systems lack or make slow: `database is locked`.

    Example: `open("results.csv", "a")` or `sqlite3.connect("results.db")` in the program of an array, or
    `python fit.py $SLURM_ARRAY_TASK_ID >> results.csv`.

    The rule sees constant names only, and is silent for logs (`>> run.log`), for what only some tasks write, and where
    a folder may be the task's own.
    """
    for command, program, name, how in _array_writes(job):
        if how == "w" or name.endswith((".log", ".out", ".err", ".o", ".e")):
            continue
        verb = "writes the database" if how == "sqlite" else "appends to"
        who = f"in every task of the array, {program}" if program else "every task of the array"
        yield _at(command, f"{who} {verb} {name}", "one file for each task")


_LOCAL = re.compile(r"\$\{?(?:SLURM_)?TMPDIR\b|\$\{?LOCAL_?SCRATCH\b|/tmp(?:/|$)")
_COPIES = frozenset(
    ["cp", "mv", "rsync", "tar", "scp", "zip", "rclone", "trap", "sbcast", "sgather", "install", "dd"]
)


@rule("J42", "warning", "The results stay on the disk of the node.")
def results_on_node(job: Job) -> Iterator[Note]:
    """Copy results from `$TMPDIR` or `/tmp` to a shared folder before the job ends.

    The disk of the node is fast, and is cleared when the job ends, or cannot be reached from elsewhere.

    Example: `python fit.py --out $TMPDIR/fit.csv` as the last command. Add `trap 'cp -r "$TMPDIR"/*.csv results/' EXIT`
    above, which also runs when the program fails.

    The rule is silent where a later line copies anything, or uses the file.
    """
    if not job.script.dialect or job.shell.errors:
        return
    values = {one.name: one.value.text.strip("\"'") for one in job.shell.assignments}
    for command in job.programs:
        for path, _ in written_paths(command):
            variable = re.match(r"\$\{?(\w+)\}?", path)
            full = values.get(variable[1], path) if variable else path
            if not _LOCAL.match(full):
                continue
            later = [
                one
                for one in job.shell.commands
                if one.line > command.line and one.name not in {"rm", "echo"}
            ]
            copied = any(one.name in _COPIES for one in job.shell.commands)
            used = any(re.search(rf"{_LOCAL.pattern}|{re.escape(path)}", one.text) for one in later)
            if not copied and not used and not job.shell.functions:
                yield _at(
                    command, f"{path} is on the node, and nothing copies it from there", "cp it at the end"
                )
                return


@rule("J49", "hint", "A requeued job begins its log again.")
def requeued_log(job: Job) -> Iterator[Note]:
    """Let a job with `--requeue` add to its log: `#SBATCH --open-mode=append`.

    A requeued job keeps its number and so the name of its log, and Slurm empties the log when the job starts again, if
    the site has not set JobFileAppend: what shows why the first run ended is lost. Programs of such jobs should also
    write results under another name first, and then rename them.

    The fix adds the option. It is safe.
    """
    option = job.script.option("requeue")
    if option is None or job.script.dialect != "slurm" or job.script.option("open-mode"):
        return
    yield note(
        option,
        "a requeued job empties the log of its first run",
        edits=(Edit(option.line, option.end, option.end, " --open-mode=append"),),
        advice="--open-mode=append",
    )


@rule("J71", "hint", "The next run of the script overwrites the log.", optional=True)
def fixed_log(job: Job) -> Iterator[Note]:
    """Put the job's number into the name of the log: `--output=fit_%j.out`.

    A log with a fixed name is emptied when the script is submitted again, so that the log of the run that failed is
    gone. This rule runs only where it is selected, since some want one log.

    The fix puts `_%j` before the suffix. It is safe.
    """
    if job.script.dialect != "slurm" or job.indices or job.script.value("open-mode").lower().startswith("a"):
        return
    for name in ("output", "error"):
        option = job.script.option(name)
        value = (option.value or "") if option else ""
        path = PurePosixPath(value)
        if option and path.name and "%" not in value and not re.search(r"[${<]|^/dev/", value):
            better = str(path.with_name(f"{path.stem}_%j{path.suffix}"))
            yield note(option, f"each run empties {value}", edits=job.replace(option, better))
