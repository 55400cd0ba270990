"""Rewrite a job script for another scheduler or site."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from packhorse.app.jobs.lint import program_sources, script_text
from packhorse.jobscript.script import JobScript
from packhorse.lint.job import Job
from packhorse.model.errors import UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.site import Site
from packhorse.project.sites import find_site
from packhorse.schedulers import scheduler
from packhorse.translate.request import TITLES, Cores, Note, Scheduler
from packhorse.translate.site_names import SiteNames
from packhorse.translate.translate import Translation, translate

NAMES: dict[str, Scheduler] = {
    "slurm": "slurm",
    "torque": "torque",
    "pbspro": "openpbs",
    "openpbs": "openpbs",
}


class TranslateOptions(Struct, frozen=True, kw_only=True):
    """Options of a translation."""

    to: str = ""  # of NAMES; empty: the site's scheduler
    site: str = ""
    account: str = ""
    cores: Cores = ""  # what the cores of nodes=N:ppn=M are for


class TranslatedScript(JsonOutput, frozen=True, kw_only=True, tag="packhorse-translate/1"):
    """A job script for another scheduler."""

    script: Annotated[str, Meta(description="The translated script.")]
    source: Annotated[
        str, Meta(description="The scheduler for which it was written: slurm, torque, openpbs.")
    ]
    to: Annotated[str, Meta(description="The scheduler for which it is now.")]
    notes: Annotated[tuple[Note, ...], Meta(description="What is lost, assumed or changed, by line.")]
    output: Annotated[str, Meta(description="The file that was written; empty: none.")] = ""

    @property
    def lost(self) -> int:
        """How many requests have no equivalent."""
        return sum(note.kind == "lost" for note in self.notes)


def translate_script(path: Path, options: TranslateOptions, here: Path) -> TranslatedScript:
    """Translate a script; raise UsageError where it is not one, or where a name is not known."""
    if not path.exists():
        raise UsageError(f"no file {path}", "packhorse translate JOB.sh --to slurm")
    text, fault = script_text(path)
    if fault:
        raise UsageError(f"{path}: {fault}", "packhorse translate JOB.sh --to slurm")
    site = find_site(options.site, here) if options.site else None
    to = _target(options, site)
    script = JobScript(text.replace("\r\n", "\n"), str(path))
    if not script.dialect:
        hint = "packhorse script 'COMMAND' --site NAME makes a job script"
        raise UsageError(f"{path}: no directives of Slurm or PBS", hint)
    source: Scheduler = "slurm" if script.dialect == "slurm" else script.flavour
    if source == to and site is None:
        hint = "packhorse translate JOB.sh --site NAME writes it for another site"
        raise UsageError(f"{path} is for {TITLES[to]} already", hint)
    job = Job(script)
    sources = program_sources(job, path)
    names = None
    if site is not None:
        names = SiteNames(site, scheduler(source).read_header(script.text).request, options.account)
    done = translate(script, to, options.cores, sources, names)
    notes = (*done.notes, *_limits(done, to, names))
    return TranslatedScript(script=done.text, source=source, to=to, notes=notes)


def _target(options: TranslateOptions, site: Site | None) -> Scheduler:
    if options.to:
        to = NAMES[options.to]
        if site is not None and site.scheduler != to:
            raise UsageError(
                f"{site.name} has {site.scheduler}, not {options.to}", f"--site {site.name} without --to"
            )
        return to
    if site is None:
        raise UsageError("no scheduler given", "--to slurm, torque or pbspro, or --site NAME")
    if site.scheduler == "local":
        raise UsageError(f"{site.name} has no scheduler", "packhorse sites lists the sites")
    return site.scheduler


def _limits(done: Translation, to: Scheduler, names: SiteNames | None) -> list[Note]:
    return names.limits(scheduler(to).read_header(done.text).request) if names else []


def diff(path: Path, script: str) -> str:
    """Return what the translation changes, as a unified diff."""
    before = path.read_bytes().decode("utf-8", "replace").splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, script.splitlines(keepends=True), str(path), str(path)))
