"""Asking for a job question by question, each with the usual answer; on the terminal, so that output stays free."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace

from packhorse.cli.output import note
from packhorse.model.errors import PackhorseError, UsageError
from packhorse.model.form import Form

if TYPE_CHECKING:
    from packhorse.app.jobs.script import Script
    from packhorse.model.site import Partition, Site

Check = Callable[[str], Any]


def ask_script(form: Form, folder: Path, *, force: bool = False) -> tuple[Form, Script]:
    """Return the form as it was answered, and its script; what does not fit is told and asked again."""
    from packhorse.app.jobs.script import make_script

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "--interactive needs a terminal", "give the answers as options: packhorse script --help"
        )
    note("Enter takes the answer that stands there; Ctrl-C leaves.")
    while True:
        form = _asked(form, folder)
        form = replace(form, file=_file(form, folder, force))
        try:
            return form, make_script(form, folder)
        except PackhorseError as error:
            note(f"that is not possible: {error.message}")
            for row in error.hint.splitlines():
                note(f"  {row}")


def _asked(form: Form, folder: Path) -> Form:
    """Ask for all that a job may need, the site first, since it says what else there is to ask."""
    from packhorse.app.jobs import job_form as reading
    from packhorse.app.jobs.script import site_of

    form = replace(form, site=_site(form, folder))
    site = site_of(form, folder)
    form = replace(form, command=_line("What shall the job run?", form.command, _some))
    form = replace(form, name=_line("Its title?", form.name or reading.name_of(form.command), _some))
    form = replace(form, partition=_partition(form, site))
    chosen = site.partition(form.partition)
    form = _size(form, site, chosen)
    form = replace(
        form,
        array=_line(
            "Many jobs with a number each, such as 1-100? (empty: one)", form.array, reading.array_of
        ),
        modules=_words("Modules to load?", form.modules),
        environment=_line(
            "An environment: conda:NAME, venv:FOLDER, uv:FOLDER? (empty: none)",
            form.environment,
            _environment,
        ),
    )
    form = _mail(form, site)
    if site.account_needed or form.account:
        form = replace(form, account=_line("Which account is charged?", form.account, _some))
    return form


def _file(form: Form, folder: Path, force: bool) -> str:
    from packhorse.app.jobs.job_form import file_word

    def free(said: str) -> None:
        if said.strip() and (folder / said.strip()).exists() and not force:
            raise UsageError("it is there already: name another file, or use --force")

    usual = form.file or f"{file_word(form.name)}.sh"
    return _line("Write the script to? (empty: show it)", usual, free)


def _size(form: Form, site: Site, chosen: Partition | None) -> Form:
    from packhorse.app.jobs import job_form as reading
    from packhorse.text.units import duration_text

    usual = chosen.default_time if chosen is not None and chosen.default_time else 3600
    form = replace(
        form,
        time=_line(
            "How long may it run?",
            form.time or duration_text(usual),
            reading.time_of,
        ),
        nodes=_number("How many nodes?", form.nodes, 1),
    )
    tasks = _number("How many processes in all, for srun or mpirun?", form.tasks or form.nodes, 1)
    form = replace(form, tasks=tasks)
    form = replace(
        form, cores=_number("How many cores on each node?", form.cores or -(-tasks // form.nodes), 1)
    )
    memory = _line(
        "How much memory on each node? (0: the site's default)", form.memory or "0", reading.memory_of
    )
    form = replace(form, memory=memory)
    if form.gpus or any(one.gpus for one in ([chosen] if chosen else site.partitions)):
        form = replace(form, gpus=_number("How many GPUs on each node?", form.gpus, 0))
    return form


def _mail(form: Form, site: Site) -> Form:
    from packhorse.app.jobs import job_form as reading

    if not site.array_mail and form.array.strip():
        return replace(form, mail="")
    form = replace(form, mail=_line("Mail to which address? (empty: none)", form.mail, reading.mail_of))
    if not form.mail:
        return form
    when = form.mail_when or "end,fail"
    return replace(form, mail_when=_line("Mail at begin, end, fail?", when, reading.mail_when_of))


def _site(form: Form, folder: Path) -> str:
    from packhorse.project.sites import known_sites, this_site

    known = [one.name for one in known_sites(folder) if _usable(one)]
    here = this_site(folder)
    return _choice("Which site?", known, form.site or (here.name if here else ""))


def _usable(known: Any) -> bool:
    return known.site is not None and known.site.scheduler != "local" and known.site.retired is None


def _partition(form: Form, site: Site) -> str:
    if not site.partitions:
        return _line("Which partition or queue? (empty: the site's default)", form.partition)
    usual = next((one.name for one in site.partitions if one.default), "")
    names = [one.name for one in site.partitions]
    return _choice("Which partition?", names, form.partition or usual)


def _some(said: str) -> None:
    if not said.strip():
        raise UsageError("an answer is needed here")


def _environment(said: str) -> None:
    from packhorse.app.jobs.job_form import environment_of

    if said.strip():
        environment_of(said)


def _words(question: str, usual: Sequence[str]) -> tuple[str, ...]:
    return tuple(_line(f"{question} (empty: none)", " ".join(usual)).split())


def _number(question: str, usual: int, least: int) -> int:
    def check(said: str) -> None:
        if not said.strip().isdigit() or int(said) < least:
            raise UsageError(f"write a whole number from {least} on")

    return int(_line(question, str(usual), check))


def _line(question: str, usual: str, check: Check | None = None) -> str:
    """Return one line; what `check` refuses is told below it while it is typed."""
    import questionary

    def valid(said: str) -> bool | str:
        try:
            if check is not None:
                check(said)
        except PackhorseError as error:
            return f"{error.message} {error.hint.splitlines()[0] if error.hint else ''}".strip()
        return True

    return _answer(questionary.text(question, default=usual, validate=valid, output=_terminal())).strip()


def _choice(question: str, names: Sequence[str], usual: str) -> str:
    import questionary

    first = usual if usual in names else None
    return _answer(questionary.select(question, choices=list(names), default=first, output=_terminal()))


def _answer(question: Any) -> str:
    said = question.unsafe_ask()  # an interrupt leaves, as everywhere
    if said is None:
        raise click.Abort
    return str(said)


def _terminal() -> Any:
    from prompt_toolkit.output import create_output

    return create_output(stdout=sys.stderr)
