"""packhorse sites show: the description of a site as text."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from packhorse.app.sites.show import FreeSpace, show
from packhorse.cli.output import aligned, json_option, note, number, print_json, say
from packhorse.model.site import Site
from packhorse.model.site_parts import NodeKind, Part, Partition, Sourced, Storage
from packhorse.text.amounts import counted, size, span

SCHEDULERS = {
    "slurm": "Slurm",
    "torque": "TORQUE",
    "openpbs": "OpenPBS or PBS Pro",
    "local": "no scheduler: tasks run on this machine",
}
POLLED = "the scheduler is queried at most every"
SHOWN = 4  # partitions in one line
PARTITIONS = ("partition", "nodes", "cores", "memory", "GPUs", "time", "longest", "")
STORAGE = ("storage", "where", "for", "quota", "files", "backup", "deleted")
# Questions about every cluster, by the keys that answer them.
QUESTIONS = {
    "login": "the login address",
    "partitions": "its partitions",
    "max_array_index": "the largest array index",
    "max_jobs": "the limit of jobs per user",
    "default_memory": "the default memory of a job",
    "compute_internet": "internet access of jobs",
    "storage": "its storage",
    "idle": "when it closes an idle login",
    "access": "who may use it",
    "documentation": "its documentation",
}


@click.command(name="show")
@click.argument("name")
@click.option("-v", "--verbose", is_flag=True, help="All that is known, with limits, rules and sources.")
@json_option
def show_command(name: str, verbose: bool, as_json: bool) -> None:
    """Show a site: its partitions, limits, storage and access.

    Where a connection is open (packhorse connect), also how much you may still write to its storage.
    """
    site, silent = show(name, Path.cwd())
    if as_json:
        print_json(site)
        return
    for row in site_lines(site) if verbose else summary_lines(site):
        say(row)
    for row in labelled("free now", "; ".join(map(_free, site.free))):
        say(row)
    if silent:
        note(silent)
    if verbose:
        say(f"  file: {site.path}" + (" (shipped)" if site.origin == "shipped" else ""))
    else:
        say(f"all that is known: packhorse sites show {shlex.quote(name)} --verbose")


def summary_lines(site: Site) -> Iterator[str]:
    """Yield what a user of a site needs first: its scheduler and partitions, limits, storage, login."""
    yield f"{site.name}: {site.title}" if site.title else site.name
    if site.retired is not None:
        yield from list(_head(site))[:1]
    yield f"scheduler: {SCHEDULERS[site.scheduler]}"
    if site.partitions:
        more = len(site.partitions) - SHOWN
        usual = sorted(site.partitions, key=lambda one: not one.default)[:SHOWN]
        yield f"partitions: {'; '.join(map(_brief, usual))}{f'; and {more} more' if more > 0 else ''}"
    limits = [text for text in _limits(site) if not text.startswith(POLLED)]
    account = ["an account is needed (--account)"] if site.account_needed else []
    yield from labelled("limits", "; ".join([*limits, *account]))
    yield from labelled("storage", "; ".join(map(_brief_area, site.storage)))
    yield from labelled("login", site.login)


def _brief(partition: Partition) -> str:
    size_of = [
        "default" if partition.default else "",
        counted(partition.cores, "core") if partition.cores else "",
        size(partition.memory) if partition.memory else "",
        counted(partition.gpus, "GPU") if partition.gpus else "",
        f"up to {span(partition.max_time)}" if partition.max_time else "",
    ]
    known = ", ".join(filter(None, size_of))
    return f"{partition.name} ({known})" if known else partition.name


def _brief_area(area: Storage) -> str:
    known = [
        _large(area.quota) if area.quota else "",
        f"deleted after {span(area.purge)}" if area.purge else "",
    ]
    facts = ", ".join(filter(None, known))
    return f"{area.name} ({facts})" if facts else area.name


def _free(space: FreeSpace) -> str:
    if not space.path:
        return f"{space.area} does not exist for you"
    left = "unknown"
    if space.bytes is not None:
        left = f"{space.bytes / 1e9:,.0f} GB" if space.bytes >= 1e10 else f"{space.bytes / 1e6:,.0f} MB"
    files = f" and {counted(space.files, 'file')}" if space.files is not None else ""
    return f"{space.area} {left}{files}{' of your quota' if space.quota else ''}"


def site_lines(site: Site) -> Iterator[str]:
    """Yield the description of a site, under headings."""
    yield f"{site.name}: {site.title}" if site.title else site.name
    yield from (f"  {row}" for row in _head(site))
    parts = {
        "Partitions": _partitions(site),
        "Jobs": (*_limits(site), *_demands(site), *_programs(site)),
        "Storage": (*_storage(site), *_archive(site)),
        "Access": (*_login(site), *_access(site)),
        "Facts": (*_energy(site), *_ends(site)),
    }
    for heading, lines in parts.items():
        rows = list(lines)
        if rows:
            yield from (heading, *(f"  {row}" for row in rows))


def _head(site: Site) -> Iterator[str]:
    if site.retired is not None:
        instead = f"; replaced by: {', '.join(site.retired.successors)}" if site.retired.successors else ""
        yield f"retired since {site.retired.date or '?'}{instead}"
        yield from _remarks_on("retired", site.retired, site.retired.about)
    yield from labelled("for", site.about)
    version = f" {site.scheduler_version}" if site.scheduler_version else ""
    yield f"scheduler: {SCHEDULERS[site.scheduler]}{version}"
    yield from labelled("system", ", ".join(filter(None, (site.system, site.interconnect))))


def labelled(label: str, texts: str | Iterable[str]) -> Iterator[str]:
    """Yield `label: text` for each text that is not empty."""
    for text in [texts] if isinstance(texts, str) else texts:
        if text:
            yield f"{label}: {text}"


def _remarks_on(label: str, part: Part, *texts: str) -> Iterator[str]:
    """Yield the remarks on a part of a site, and what of it is not verified."""
    yield from labelled(label, texts)
    yield from labelled(f"{label}, not verified", part.doubt)


def _known(value: Any, shown: Any = str) -> str:
    return "?" if value is None else str(shown(value))


# --- Partitions ---


def _partitions(site: Site) -> Iterator[str]:
    if not site.partitions:
        return
    yield from aligned([PARTITIONS, *map(_partition, site.partitions)])
    yield "cores, memory, GPUs: per node; time: the default of a job; longest: the limit; ?: not known"
    for one in site.partitions:
        yield from _remarks_on(one.name, one, one.about, *map(_kind, one.kinds))


def _partition(partition: Partition) -> tuple[str, ...]:
    gpus = f"{partition.gpus} {partition.gres}" if partition.gpus else "-"
    times = (_known(partition.default_time, span), _known(partition.max_time, span))
    sizes = (_known(partition.nodes), _known(partition.cores), _known(partition.memory, size), gpus)
    return (partition.name, *sizes, *times, "; ".join(_remarks(partition)))


def _remarks(partition: Partition) -> Iterator[str]:
    if partition.default:
        yield "default"
    if partition.test:
        yield "for tests"
    meant = [purpose for purpose in partition.purpose if purpose not in ("test", "gpu")]
    if meant:
        yield f"meant for jobs: {', '.join(meant)}"
    yield from filter(None, [partition.gpu, partition.machine])
    if partition.by_request:
        yield f"by request ({partition.open_to})" if partition.open_to else "by request"
    if partition.whole_nodes:
        yield "whole nodes"
    if partition.by_gpu:
        yield "cores and memory are allocated by GPU"
    yield from _at_most(partition)


def _at_most(partition: Partition) -> Iterator[str]:
    if partition.min_nodes is not None:
        yield f"at least {counted(partition.min_nodes, 'node')} per job"
    for most, what in (
        (partition.max_nodes, "node"),
        (partition.max_cores, "core"),
        (partition.max_gpus, "GPU"),
    ):
        if most is not None:
            yield f"at most {counted(most, what)} per job"
    user = (
        (partition.max_user_jobs, "running job"),
        (partition.max_user_queued, "job"),
        (partition.max_user_gpus, "GPU"),
    )
    for most, what in user:
        if most is not None:
            yield f"at most {counted(most, what)} per user"


def _kind(kind: NodeKind) -> str:
    parts = [
        counted(kind.nodes, "node") if kind.nodes else "",
        counted(kind.cores, "core") if kind.cores else "",
        size(kind.memory) if kind.memory else "",
        f"{kind.gpus} {kind.gpu or 'GPUs'}" if kind.gpus else "",
        f"--gres={kind.gres}:N" if kind.gres else "",
        f"--constraint={kind.constraint}" if kind.constraint else "",
    ]
    doubt = f" (not verified: {kind.doubt})" if kind.doubt else ""
    return f"nodes {kind.name}: {', '.join(filter(None, parts))}{doubt}"


# --- Limits and rules for jobs ---


def _limits(site: Site) -> Iterator[str]:
    """Yield the limits of a site."""
    if site.max_array_index is not None:
        yield f"array indices up to {number(site.max_array_index)}"
    if site.max_jobs is not None:
        yield f"at most {counted(site.max_jobs, 'job')} per user, elements of arrays included"
    if site.max_user_cores is not None:
        yield f"at most {counted(site.max_user_cores, 'core')} per user at a time"
    sizes = {
        "at most {} of memory per user at a time": site.max_user_memory,
        "default memory: {} per core": site.default_memory,
    }
    yield from (text.format(size(value)) for text, value in sizes.items() if value is not None)
    if site.scheduler != "local":
        yield f"{POLLED} {span(site.poll)}"


def _demands(site: Site) -> Iterator[str]:
    if site.account_needed:
        where = f" ({site.account_about})" if site.account_about else ""
        yield f"a job needs an account{where}: cluster: {{account: ...}} in the study, or --account"
    if not site.array_mail:
        yield "arrays must not request email"
    mail = site.mail
    yield from labelled("email", f"at {', '.join(mail.when)}" if mail.when else "")
    yield from labelled("email", f"addresses must end with {mail.addresses}" if mail.addresses else "")
    yield from _remarks_on("email", mail, mail.about)
    if not site.compute_submits:
        yield "jobs cannot submit jobs"
    if site.compute_internet is not None:
        yield "jobs have internet access" if site.compute_internet else "jobs have no internet access"
    if site.build_on == "job":
        yield "environments are built in a job"
    yield from labelled("multi-node jobs", f"started with {site.launcher}" if site.launcher else "")
    yield from labelled("every job starts with", site.setup)
    yield from labelled("rule", site.rules)


def _programs(site: Site) -> Iterator[str]:
    modules = site.modules
    yield from labelled("modules", ", ".join(modules.known))
    yield from labelled("python3", f"{modules.load} {modules.python}" if modules.python else "")
    yield from labelled("Rscript", f"{modules.load} {modules.r}" if modules.r else "")
    yield from labelled("loaded by default", ", ".join(modules.loaded))
    yield from _remarks_on("modules", modules)


# --- Storage ---


def _storage(site: Site) -> Iterator[str]:
    if site.storage:
        yield from aligned([STORAGE, *map(_area, site.storage)])
    for one in site.storage:
        yield from _remarks_on(one.name, one, one.retention, one.speed, one.about)
    yield from labelled("node-local scratch", site.scratch)
    yield from labelled("to show usage", site.quota_commands)


def _area(area: Storage) -> tuple[str, ...]:
    quota = _known(area.quota, _large) + (" per project" if area.quota_per == "project" else "")
    backup = {None: "?", True: "yes", False: "no"}[area.backup]
    purge = "-" if area.purge is None else f"{span(area.purge)} after the last {area.purge_clock}"
    where = f"{area.path or '?'}{' (node-local)' if area.local else ''}"
    return (
        area.name,
        where,
        ", ".join(area.purpose) or "-",
        quota,
        _known(area.inodes, number),
        backup,
        purge,
    )


def _large(mib: int) -> str:
    """Return an amount of disk, rounded."""
    return f"{mib / 1024**2:.3g} TB" if mib >= 1024**2 else size(mib)


def _archive(site: Site) -> Iterator[str]:
    archive = site.archive
    if archive.title or archive.quota is not None:
        quota = f", {_large(archive.quota)}" if archive.quota is not None else ""
        modules = f"; {site.modules.load} {' '.join(archive.modules)}" if archive.modules else ""
        yield f"archive: {archive.title or 'yes'}{quota}{modules}"
    if archive.min_file is not None:
        yield f"archive: bundle files smaller than {size(archive.min_file)}"
    if archive.max_file is not None:
        yield f"archive: files in a bundle may have at most {size(archive.max_file)}"
    yield from labelled("archive", f"closed {archive.closed}" if archive.closed else "")
    yield from _remarks_on("archive", archive, archive.about)


# --- Access, sources, and open questions ---


def _login(site: Site) -> Iterator[str]:
    yield from labelled("login", site.login)
    yield from labelled("login nodes", ", ".join(site.hosts))
    limits = site.login_limits
    if limits.cpu_time is not None:
        yield f"login nodes: processes are ended after {span(limits.cpu_time)} of CPU time"
    if limits.memory is not None:
        yield f"login nodes: {size(limits.memory)} of memory per user"
    if limits.processes is not None:
        yield f"login nodes: {number(limits.processes)} processes per user"
    yield from _remarks_on("login nodes", limits, limits.about)


def _energy(site: Site) -> Iterator[str]:
    energy = site.energy
    power = {"a core": energy.core, "a GB of memory": energy.memory}
    yield from (f"power of {what}: {watts:g} W" for what, watts in power.items() if watts is not None)
    others = {"power usage effectiveness": energy.pue, "g of CO2 equivalents per kWh": energy.carbon}
    yield from (f"{name}: {value:g}" for name, value in others.items() if value is not None)
    if energy.price is not None:
        yield f"price of a core-hour: {energy.price:g} {energy.currency}".rstrip()
    yield from _remarks_on("energy", energy, energy.about)


def _access(site: Site) -> Iterator[str]:
    access = site.access
    yield from labelled("who may use it", access.who)
    yield from (f"step {place}: {step}" for place, step in enumerate(access.steps, 1))
    yield from labelled("time until access", access.delay)
    yield from labelled("login needs", access.asks)
    yield from labelled("SSH keys", access.keys)
    if site.idle is not None:
        yield f"an idle login is closed after {span(site.idle)}"
    yield from labelled("at 'permission denied'", access.denied)
    yield from labelled("help", access.help)
    yield from labelled("no help from", access.help_not)
    yield from _remarks_on("access", access)
    yield from labelled("maintenance", site.maintenance)


def _ends(site: Site) -> Iterator[str]:
    yield from labelled("documentation", site.documentation)
    yield from labelled("source", ", ".join(filter(None, (site.source, site.date))))
    for origin, names in _origins(site).items():
        yield f"{', '.join(names)}: from {origin}"
    for one in site.sources:
        yield from _remarks_on(one.name.replace("_", " "), one)
    yield from labelled("not verified", site.doubt)
    if site.scheduler != "local" and site.retired is None:
        empty = Site(name="")
        unknown = [text for key, text in QUESTIONS.items() if getattr(site, key) == getattr(empty, key)]
        yield from labelled("not known", "; ".join(unknown))


def _origins(site: Site) -> dict[str, list[str]]:
    """Return the parts of a site that have a source of their own, by source and date."""
    names = ("access", "energy", "modules", "mail", "archive", "login_limits")
    parts: dict[str, Part] = {name: getattr(site, name) for name in names}
    several: tuple[Partition | Storage | Sourced, ...] = (*site.partitions, *site.storage, *site.sources)
    parts |= {one.name: one for one in several}
    found: dict[str, list[str]] = {}
    for name, part in parts.items():
        origin = ", ".join(filter(None, (part.source, part.date)))
        if origin:
            found.setdefault(origin, []).append(name.replace("_", " "))
    return found
