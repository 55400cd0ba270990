"""The questions of `packhorse script --interactive`, on standard error, so that standard output stays free.

questionary serves this alone and is imported when the first question is asked. click.prompt and rich.prompt neither
let a user edit the default answer nor select from a list, and check an answer only after Enter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from packhorse.app.jobs import job_form
from packhorse.app.jobs.script import Script, make_script, site_of
from packhorse.cli.output import note
from packhorse.model.errors import PackhorseError, UsageError
from packhorse.model.form import Form
from packhorse.model.site import Partition, Site
from packhorse.project.sites import KnownSite, known_sites, this_site
from packhorse.text.units import duration_text

Check = Callable[[str], Any]


def ask_script(form: Form, folder: Path, *, force: bool = False) -> tuple[Form, Script]:
    """Ask for a job; return the form and its script. A job that does not fit is asked for again."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "--interactive needs a terminal", "give the answers as options: packhorse script --help"
        )
    note("Enter accepts the answer shown; Ctrl-C quits.")
    while True:
        form = _asked(form, folder)
        form = replace(form, file=_file(form, folder, force))
        try:
            return form, make_script(form, folder)
        except PackhorseError as error:
            note(f"this job cannot be submitted: {error.message}")
            for row in error.hint.splitlines():
                note(f"  {row}")


def _asked(form: Form, folder: Path) -> Form:
    """Ask for everything that a job may need; the site comes first, since other questions depend on it."""
    form = replace(form, site=_site(form, folder))
    site = site_of(form, folder)
    form = replace(form, command=_line("Command to run?", form.command, _some))
    form = replace(form, name=_line("Name of the job?", form.name or job_form.name_of(form.command), _some))
    form = replace(form, partition=_partition(form, site))
    chosen = site.partition(form.partition)
    form = _size(form, site, chosen)
    form = replace(
        form,
        array=_line("Job array, such as 1-100? (empty: one job)", form.array, job_form.array_of),
        modules=_words("Modules to load?", form.modules),
        environment=_line(
            "Environment: conda:NAME, venv:FOLDER, uv:FOLDER? (empty: none)",
            form.environment,
            _environment,
        ),
    )
    form = _mail(form, site)
    if site.account_needed or form.account:
        form = replace(form, account=_line("Account to charge?", form.account, _some))
    return form


def _file(form: Form, folder: Path, force: bool) -> str:
    def free(answer: str) -> None:
        if answer.strip() and (folder / answer.strip()).exists() and not force:
            raise UsageError("the file exists: name another, or use --force")

    usual = form.file or f"{job_form.file_word(form.name)}.sh"
    return _line("File for the script? (empty: standard output)", usual, free)


def _size(form: Form, site: Site, chosen: Partition | None) -> Form:
    usual = chosen.default_time if chosen is not None and chosen.default_time else 3600
    form = replace(
        form,
        time=_line(
            "Time limit?",
            form.time or duration_text(usual),
            job_form.time_of,
        ),
        nodes=_number("Number of nodes?", form.nodes, 1),
    )
    tasks = _number("Total processes, for srun or mpirun?", form.tasks or form.nodes, 1)
    form = replace(form, tasks=tasks)
    form = replace(form, cores=_number("Cores on each node?", form.cores or -(-tasks // form.nodes), 1))
    memory = _line("Memory on each node? (0: the site's default)", form.memory or "0", job_form.memory_of)
    form = replace(form, memory=memory)
    if form.gpus or any(one.gpus for one in ([chosen] if chosen else site.partitions)):
        form = replace(form, gpus=_number("GPUs on each node?", form.gpus, 0))
    return form


def _mail(form: Form, site: Site) -> Form:
    if not site.array_mail and form.array.strip():
        return replace(form, mail="")
    form = replace(form, mail=_line("Email address? (empty: no email)", form.mail, job_form.mail_of))
    if not form.mail:
        return form
    when = form.mail_when or "end,fail"
    return replace(form, mail_when=_line("Email at begin, end, fail?", when, job_form.mail_when_of))


def _site(form: Form, folder: Path) -> str:
    known = [site.name for site in known_sites(folder) if _usable(site)]
    here = this_site(folder)
    return _choice("Which site?", known, form.site or (here.name if here else ""))


def _usable(known: KnownSite) -> bool:
    return known.site is not None and known.site.scheduler != "local" and known.site.retired is None


def _partition(form: Form, site: Site) -> str:
    if not site.partitions:
        return _line("Which partition or queue? (empty: the site's default)", form.partition)
    usual = next((one.name for one in site.partitions if one.default), "")
    names = [one.name for one in site.partitions]
    return _choice("Which partition?", names, form.partition or usual)


def _some(answer: str) -> None:
    if not answer.strip():
        raise UsageError("an answer is required")


def _environment(answer: str) -> None:
    if answer.strip():
        job_form.environment_of(answer)


def _words(question: str, usual: Sequence[str]) -> tuple[str, ...]:
    return tuple(_line(f"{question} (empty: none)", " ".join(usual)).split())


def _number(question: str, usual: int, least: int) -> int:
    def check(answer: str) -> None:
        if not answer.strip().isdigit() or int(answer) < least:
            raise UsageError(f"write a whole number of at least {least}")

    return int(_line(question, str(usual), check))


def _line(question: str, usual: str, check: Check | None = None) -> str:
    """Ask for one line; the error of `check` is shown below it while the user types."""
    import questionary

    def valid(answer: str) -> bool | str:
        try:
            if check is not None:
                check(answer)
        except PackhorseError as error:
            return f"{error.message} {error.hint.splitlines()[0] if error.hint else ''}".strip()
        return True

    return _answer(questionary.text(question, default=usual, validate=valid, output=_terminal())).strip()


def _choice(question: str, names: Sequence[str], usual: str) -> str:
    import questionary

    first = usual if usual in names else None
    # Typing filters the list, and Enter takes the one that is marked.
    return _answer(
        questionary.select(
            question,
            choices=list(names),
            default=first,
            use_search_filter=True,
            use_jk_keys=False,
            instruction="(type to filter, arrow keys to move, Enter to take)",
            output=_terminal(),
        )
    )


def _answer(question: Any) -> str:
    answer = question.unsafe_ask()  # Ctrl-C quits, as everywhere
    if answer is None:
        raise click.Abort
    return str(answer)


def _terminal() -> Any:
    from prompt_toolkit.output import create_output

    return create_output(stdout=sys.stderr)
