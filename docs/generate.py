"""Write the pages of docs/reference from the code, so that each fact is said once: `make docs`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from packhorse import task
from packhorse.cli.commands import COMMANDS, packhorse
from packhorse.cli.json_schemas import json_schema
from packhorse.cli.json_types import JSON_TYPES
from packhorse.diagnose.kinds import KINDS
from packhorse.lint.check import RULES
from packhorse.model import errors
from packhorse.sites.keys import SITE
from packhorse.study import keys
from packhorse.study.write import study_text
from packhorse.text.keys import Key, Part, schema_of
from packhorse.worker.tasks import environment

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py from the code. Change the code, then: make docs -->\n"
WIDTH = 100
ENDLESS = 10**9  # from here on a bound is not worth mentioning

# Placeholders of templates. A test checks that the list is complete.
PLACEHOLDERS = {
    "NAME": "the parameter NAME as you wrote it; `{NAME:03d}` and `{NAME:.3f}` apply a Python format to its value",
    "--NAME": "the switch `--NAME` where the parameter NAME is true; no argument where it is false",
    "NAME...": "an argument for each item of a list, or each word of a text",
    "index": "the task's index in the study, from 0; `ph_index` in the table",
    "count": "the number of tasks of the study",
    "replicate": "the replicate at its point, from 0",
    "seed": "the task's seed, 63 bits",
    "seed32": "the task's seed, 31 bits, for generators that take no more",
    "deadline": "the deadline of the worker, in Unix seconds; empty if it has none",
    "output": "a path for the result; `{output.csv}` gives it a suffix, which sets the format",
    "scratch": "a folder for temporary files; emptied after each task",
    "checkpoint": "a folder that is kept between attempts, with `checkpoint: true` in the study",
    "params.json": "a file with all parameters, index, count, replicate and seeds; written for each task",
    "params.yaml": "the same as YAML",
    "params.toml": "the same as TOML",
    "params.csv": "the same as a CSV file with one row",
    "params.R": "the same as R assignments, for `source()`",
    "params.py": "the same as Python assignments, for `import` or `exec`",
}

# Environment variables of a task. A test checks that the worker sets these.
VARIABLES = {
    "PYTHONUNBUFFERED": "1 unless you set it, so that Python writes each line that it prints at once",
    "PACKHORSE_INDEX": "the task's index, from 0",
    "PACKHORSE_COUNT": "the number of tasks of the study",
    "PACKHORSE_REPLICATE": "the replicate at its point, from 0",
    "PACKHORSE_SEED": "the task's seed, 63 bits",
    "PACKHORSE_SEED32": "the task's seed, 31 bits",
    "PACKHORSE_PARAM_NAME": "the parameter NAME as you wrote it; one variable for each parameter, if it is not too long",
    "PACKHORSE_OUTPUT": "a path for the result, as `{output}`",
    "PACKHORSE_SCRATCH": "a folder for temporary files",
    "PACKHORSE_CHECKPOINT": "a folder that is kept between attempts, with `checkpoint: true` in the study",
    "PACKHORSE_DEADLINE": "the deadline of the worker, in Unix seconds, if it has one",
    "PACKHORSE_TASK": "all of these as JSON, for `packhorse.task` and the R file",
    "PACKHORSE_TASK_FILE": "instead of `PACKHORSE_TASK`, if that is longer than 128 KiB: a file of it",
    "PACKHORSE_INPUTS": "the shared inputs as JSON, for `packhorse.task.input`, if the study has `inputs`",
    "PACKHORSE_R": 'the R file: `source(Sys.getenv("PACKHORSE_R"))`',
    "PACKHORSE_RUN": "the mark of the run, by which a later run finds processes that a killed one has left",
    "TMPDIR": "the same folder, so that temporary files of programs go there",
    "PYTHONPATH": "the project's own folders first, then the folder of `packhorse.task`, then your own value",
}

CODES = {
    "0": "Success: every task has a result, or the command did its work.",
    "1": "Any other error, such as a full disk.",
    "2": "The command line names a command, an option, a file, a run or a task that does not exist.",
    "3": "The study file is wrong. The message begins with file:line:column.",
    "4": "The code cannot be packed into a snapshot.",
    "5": "The run does not allow this now: another process works on it, or the code changed after tasks finished.",
    "6": "A command of the study's `checks` failed, so no task was started.",
    "7": "The run ended, and some tasks have no result. For `rerun`: a result differs.",
    "8": "The table is written, but a column has values of incompatible types and is kept as JSON text.",
    "130": "You interrupted the command. The same command continues.",
}


def main() -> None:
    """Write every page."""
    folder = DOCS / "reference"
    folder.mkdir(exist_ok=True)
    (folder / "schemas").mkdir(exist_ok=True)
    for name, text in {**pages(), **schemas()}.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"wrote docs/reference/{name}")


def pages() -> dict[str, str]:
    """Return each page of the reference by its file name."""
    return {
        "cli.md": "\n".join(cli_page()) + "\n",
        "study.md": "\n".join(study_page()) + "\n",
        "site.md": "\n".join(site_page()) + "\n",
        "errors-and-exit-codes.md": "\n".join(errors_page()) + "\n",
        "environment.md": "\n".join(environment_page()) + "\n",
        "r.md": "\n".join(r_session_page()) + "\n",
        "json.md": "\n".join(json_page()) + "\n",
        "lint.md": "\n".join(lint_page()) + "\n",
        "diagnose.md": "\n".join(diagnose_page()) + "\n",
    }


def head(title: str, *about: str) -> list[str]:
    """Return how a page begins."""
    return [MADE, f"# {title}", "", *about, ""]


# --- The rules of lint, the kinds of causes ---


def lint_page() -> Iterator[str]:
    """Yield every rule and its docstring."""
    yield from head(
        "Rules of lint",
        "What `packhorse lint` finds. An error fails for certain, a warning is probably wrong, a hint is advice; an",
        "optional rule runs only with `--select`. [How to use it](../how-to/lint.md).",
    )
    rules = sorted(RULES.values(), key=lambda one: one.id)
    yield from ("| rule | severity | what is wrong | fix |", "|---|---|---|---|")
    for rule in rules:
        severity = f"{rule.severity}, optional" if rule.optional else rule.severity
        fix = "yes" if "The fix " in rule.page else ""
        yield f"| [{rule.id}](#{rule.id.lower()}) | {severity} | {rule.reason} | {fix} |"
    for rule in rules:
        yield from ("", f"## {rule.id}", "", f"**{rule.reason}** ({rule.severity})", "", rule.page)


def diagnose_page() -> Iterator[str]:
    """Yield every kind of cause that diagnose knows."""
    yield from head(
        "Causes of failures",
        "What `packhorse diagnose` finds. [How to use it](../how-to/diagnose.md).",
    )
    yield from ("| kind | cause | what to do | sure |", "|---|---|---|---|")
    for kind in KINDS:
        cells = [
            re.sub(
                r"(?<=\w)\{\w+\}|\{(\w+)\}", lambda found: f" {found[1].upper()}" if found[1] else "", text
            )
            .replace("  ", " ")
            .strip()
            .replace("|", "\\|")
            for text in (kind.sentence, kind.remedy.replace("{{{name}:-}}", "{VAR:-}"))
        ]
        yield f"| {kind.id} | {cells[0]} | {cells[1]} | {kind.sure} |"


# --- The command line ---


def cli_page() -> Iterator[str]:
    """Yield the help of every command."""
    yield from head(
        "Commands",
        "The help of each command (`--help`). RUN is a name under `runs/` or a folder; the default is the run that was",
        "planned last. The exit codes are [here](errors-and-exit-codes.md).",
    )
    yield from (f"* [packhorse {name}](#packhorse-{name}): {about}" for name, (_, about) in COMMANDS.items())
    root = click.Context(packhorse, info_name="packhorse", terminal_width=WIDTH, **packhorse.context_settings)
    for name in COMMANDS:
        command = packhorse.get_command(root, name)
        assert command is not None
        yield from help_of(command, name, root, "##")


def help_of(command: click.Command, name: str, parent: click.Context, mark: str) -> Iterator[str]:
    """Yield the help of a command, and then of its subcommands."""
    context = click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH)
    context.max_content_width = WIDTH
    yield from ("", f"{mark} {context.command_path}", "", "```text", command.get_help(context), "```")
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from help_of(found, inner, context, mark + "#")


# --- The study file ---


def study_page() -> Iterator[str]:
    """Yield every key of a study file, from the table that the reader of studies uses."""
    yield from head(
        "The study file",
        "`study.yaml` is YAML 1.2: `1e-3` is a number, `no` is a word. An unknown key is refused, with the nearest",
        "known one. `packhorse schema -o study.schema.json` writes the same as a JSON Schema, with which editors complete",
        "and check keys. The placeholders of a command are in [what a task sees](environment.md#placeholders).",
    )
    table = schema_of(keys.STUDY)
    yield from (f"* [{key}](#{key}): {schema['description']}" for key, schema in table.items())
    for key, said in table.items():
        yield from ("", f"## {key}", "", f"{said['description']} {kind(said)}".strip())
        yield from examples(key, said)
        if key == "parameters":
            yield from parameters()
        elif key == "sites":
            yield from ("", f"A site may override: {', '.join(f'`{one}`' for one in keys.SITE)}.")
        else:
            yield from members(said)
        if key == "replicates":
            yield from ("", "`until` takes these, all of which are needed:")
            yield from members({"properties": schema_of(keys.UNTIL)})


def site_page() -> Iterator[str]:
    """Yield every key of a site's file, from the table that its reader uses."""
    yield from head(
        "The site file",
        "A site's file is YAML, and its name is the site's: `quartz.yaml`. Every key may be left out; what is left out is",
        "unknown, and is not assumed to be a limit. An unknown key is refused, with the nearest known",
        "one. [How do I add a cluster?](../how-to/sites.md) explains where the file must be. `packhorse sites schema -o",
        "site.schema.json` writes the same as a JSON Schema.",
    )
    yield from ("| key | what | for example |", "|---|---|---|")
    yield from (row(name, key.schema, linked=key.part is not None) for name, key in SITE.items())
    for name, key in SITE.items():
        if key.part is not None:
            yield from site_part(name, key, key.part)
            inner = [(name, one, one.part) for name, one in key.part.table.items() if one.part is not None]
            for part in inner:
                yield from site_part(*part, mark="###")


def site_part(name: str, key: Key, part: Part, mark: str = "##") -> Iterator[str]:
    """Yield the keys within a key of a site."""
    yield from ("", f"{mark} {name}", "", key.schema["description"])
    yield from examples(name, key.schema)
    yield from members({"properties": schema_of(part.table)})


def kind(said: dict[str, Any]) -> str:
    """Return what values a key takes, where its description does not say."""
    if "enum" in said:
        return f"One of {', '.join(f'`{one}`' for one in said['enum'])}."
    if said.get("type") == "integer":
        return whole(said["minimum"], said["maximum"])
    return "`true` or `false`." if said.get("type") == "boolean" else ""


def whole(least: int, most: int) -> str:
    """Return the bounds of an integer, without those that no value will reach."""
    if least < -ENDLESS:
        return "A whole number."
    return (
        f"A whole number from {least} to {most:,}." if most < ENDLESS else f"A whole number, {least} or more."
    )


def examples(key: str, said: dict[str, Any]) -> Iterator[str]:
    """Yield a key's examples as YAML."""
    found = [study_text({key: example}).rstrip() for example in said.get("examples", [])]
    if found:
        yield from ("", "```yaml", *found, "```")


def members(said: dict[str, Any]) -> Iterator[str]:
    """Yield the keys within a key, as a table."""
    for one in (said, *said.get("anyOf", [])):
        if one.get("properties"):
            yield from ("", "| key | what | for example |", "|---|---|---|")
            yield from (row(name, about) for name, about in one["properties"].items())


def row(name: str, about: dict[str, Any], form: str = "{}", *, linked: bool = False) -> str:
    """Return a key within a key as a row of a table; its examples stand in `form`, or in a section of its own."""
    if linked:
        return f"| [`{name}`](#{name}) | {about['description']} | |"
    shown = [form.format(study_text({name: example}).strip()) for example in about.get("examples", [])[:2]]
    flat = " or ".join(f"`{one}`" for one in shown if "\n" not in one).replace("|", "\\|")
    return f"| `{name}` | {about.get('description', '')} {kind(about)} | {flat} |".replace("  |", " |")


def parameters() -> Iterator[str]:
    """Yield the rules of `parameters`."""
    yield from (
        "",
        "### A name of your choice",
        "",
        "Its value is one value, a list of values, or one of these rules:",
    )
    yield from ("", "| rule | what | for example |", "|---|---|---|")
    yield from (row(name, about, "x: {{{}}}") for name, about in schema_of(keys.GENERATORS).items())
    yield from ("", "`random` takes these:")
    yield from members({"properties": schema_of(keys.RANDOM)})
    yield from (
        "",
        "### Special names",
        "",
        "| key | what | for example |",
        "|---|---|---|",
    )
    yield from (row(name, about) for name, about in schema_of(keys.PARAMETERS).items())
    yield from ("", "`chunks` takes `file` or `rows`, and `size` or `count`:")
    yield from members({"properties": schema_of(keys.CHUNKS)})


# --- JSON ---

# Types that hold the keys of a site's file.
SITE_TYPES = {
    "Partition", "NodeKind", "Mail", "Modules", "Storage", "Archive", "LoginLimits", "Energy", "Access", "Retired",
    "Sourced",
}  # fmt: skip


def schemas() -> dict[str, str]:
    """Return the JSON Schema of what each command prints with --json, by file name."""
    return {schema_file(name): json.dumps(json_schema(name), indent=1) + "\n" for name in JSON_TYPES}


def schema_file(command: str) -> str:
    """Return the file of a command's schema below docs/reference."""
    return f"schemas/{command.replace(' ', '-')}.json"


def json_page() -> Iterator[str]:
    """Yield the keys of what each command prints with --json, from the types that it prints."""
    yield from head(
        "JSON output",
        "With `--json` a command prints one JSON object on one line, and messages go to standard error. Its first key,",
        "`format`, names the object and the version of its keys: later versions of Packhorse may add keys, and a key that",
        "changes its meaning or disappears makes a new version. Each command has a JSON Schema, made from the types that",
        "it prints. A key marked `?` may be absent. Sizes are in MiB and times in seconds, unless a key says otherwise.",
    )
    yield from (f"* [packhorse {name}](#packhorse-{name.replace(' ', '-')})" for name in JSON_TYPES)
    shown: dict[str, str] = {}
    for command in JSON_TYPES:
        schema = json_schema(command)
        yield from ("", f"## packhorse {command}", "", f"Schema: [{command}]({schema_file(command)})")
        for name, part in schema["$defs"].items():
            if name in SITE_TYPES:
                continue
            if name in shown:
                yield from (
                    "",
                    f"`{name}`: see [packhorse {shown[name]}](#packhorse-{shown[name].replace(' ', '-')}).",
                )
                continue
            shown[name] = command
            yield from json_type(name, part)


def json_type(name: str, part: dict[str, Any]) -> Iterator[str]:
    """Yield the keys of one type as a table."""
    about = " ".join(part.get("description", "").split("\n\n")[0].split())
    if "enum" in part:
        yield from ("", f"### {name}", "", f"{about} One of {json_kind(part)}.")
        return
    yield from ("", f"### {name}", "", about, "", "| key | type | meaning |", "|---|---|---|")
    for key, member in part["properties"].items():
        absent = "" if key in part.get("required", ()) or "default" in member else "?"
        meaning = member.get("description", "").replace("|", "\\|")
        yield f"| `{key}`{absent} | {json_kind(member)} | {meaning} |"


def json_kind(member: dict[str, Any]) -> str:
    """Return the type of a key in words."""
    if "$ref" in member:
        name = member["$ref"].rpartition("/")[2]
        return "[site key](site.md)" if name in SITE_TYPES else f"[{name}](#{name.lower()})"
    if "anyOf" in member:
        return " or ".join(dict.fromkeys(map(json_kind, member["anyOf"])))
    if "enum" in member:
        return ", ".join(f"`{json.dumps(value)}`" for value in member["enum"])
    if member.get("type") == "array":
        return f"array of {json_kind(member['items'])}" if isinstance(member.get("items"), dict) else "array"
    if member.get("type") == "object":
        values = member.get("additionalProperties")
        return f"object of {json_kind(values)}" if isinstance(values, dict) and values else "object"
    return str(member.get("type", "any"))


# --- Errors ---


def errors_page() -> Iterator[str]:
    """Yield the exit codes and the tree of errors."""
    yield from head(
        "Errors and exit codes",
        "Whatever goes wrong is told in one sentence on standard error, with the next thing to type under it. A traceback",
        "of Packhorse itself is a defect of Packhorse: please report it.",
    )
    yield from ("| exit code | error | what it means |", "|---|---|---|")
    names = {str(kind.exit_code): kind.__name__ for kind in error_classes()}
    yield from (f"| {code} | {names.get(code, '')} | {about} |" for code, about in CODES.items())
    tree = (errors.__doc__ or "").split("\n\n", 1)[1].strip()
    yield from (
        "",
        "From Python the same errors are exceptions, each with `message`, `hint` and `exit_code`:",
        "",
    )
    yield from ("```text", tree, "```")


def error_classes() -> list[type[errors.PackhorseError]]:
    """Return the errors in the order of the file."""
    found = [one for one in vars(errors).values() if isinstance(one, type)]
    return [one for one in found if issubclass(one, errors.PackhorseError)]


# --- What a task sees ---


def environment_page() -> Iterator[str]:
    """Yield placeholders, environment variables, and the libraries for Python and R."""
    yield from head(
        "What a task sees",
        "A task runs in a private copy of your project, in the folder of the study file. Its parameters are on the",
        "command line, in environment variables, and in a file: use what your script reads already.",
    )
    yield from ("## Placeholders", "", "In `command`, and some of them in `result`:", "")
    yield from ("| placeholder | what |", "|---|---|")
    yield from (f"| `{{{name}}}` | {about} |" for name, about in PLACEHOLDERS.items())
    yield from ("", "Write any other brace twice: `{{` and `}}`.")
    yield from ("", "## Environment variables", "", "| variable | what |", "|---|---|")
    yield from (f"| `{name}` | {about} |" for name, about in VARIABLES.items())
    threads = ", ".join(f"`{name}`" for name in environment.THREADS)
    yield from ("", f"These are set to the cores of a task (`resources: {{cpus: 4}}`, else 1): {threads}.")
    yield from (
        "",
        "Variables of a scheduler around Packhorse (`SLURM_...`, `PBS_...`) are removed; `index_variable` in the",
        "study sets the one that your script reads. With `SLURM_ARRAY_TASK_ID` it also sets `SLURM_ARRAY_TASK_COUNT`,",
        "`SLURM_ARRAY_TASK_MIN`, `SLURM_ARRAY_TASK_MAX` and `SLURM_ARRAY_TASK_STEP`.",
    )
    yield from ("", "## In Python: packhorse.task", "", "```text", (task.__doc__ or "").strip(), "```", "")
    yield from functions()
    yield from ("", "## In R", "", "```r", r_head(), "```")


def functions() -> Iterator[str]:
    """Yield the properties and public functions of packhorse.task."""
    tree = ast.parse(Path(task.__file__).read_text(encoding="utf-8"))
    names = [
        node.target.id
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    public = ", ".join(f"`task.{name}`" for name in names if not name.startswith("_"))
    yield from (f"Values: {public}.", "", "| function | what |", "|---|---|")
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef)
            and not node.name.startswith("_")
            and node.name not in ("begin", "given")
        ):
            said = " ".join((ast.get_docstring(node) or "").split()).replace("|", "\\|")
            yield f"| `task.{node.name}({signature(node)})` | {said} |"


def signature(node: ast.FunctionDef) -> str:
    """Return a function's arguments without their types."""
    for one in ast.walk(node.args):
        if isinstance(one, ast.arg):
            one.annotation = None
    return ast.unparse(node.args)


def r_head() -> str:
    """Return the comment that the R file begins with, which is its manual."""
    text = (Path(task.__file__).parent / "r" / "packhorse.R").read_text(encoding="utf-8")
    return text.split("\n\n", 1)[0]


def r_session_page() -> Iterator[str]:
    """Yield the page of the functions of an R session: the head of its file, and each function with its comment."""
    folder = Path(task.__file__).parent / "r"
    head = (folder / "session.R").read_text(encoding="utf-8").split("\n\n", 1)[0]
    yield from (MADE, "# In an R session", "")
    yield "How they are used: [mclapply or foreach on a cluster](../how-to/r-cluster.md)."
    yield from ("", "```r", head, "```")
    for name in ("map.R", "calls.R", "foreach.R"):
        text = (folder / name).read_text(encoding="utf-8")
        for match in re.finditer(
            r"((?:^# .*\n)+)^(ph_\w+|registerDoPackhorse) <- function(\([^{]*\)) \{", text, re.M
        ):
            arguments = " ".join(match[3].split())
            yield from (
                "",
                f"## {match[2]}",
                "",
                "```r",
                f"{match[2]}{arguments}",
                "",
                match[1].rstrip(),
                "```",
            )


if __name__ == "__main__":
    main()
