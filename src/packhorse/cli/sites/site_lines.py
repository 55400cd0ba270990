"""What a site has, in words: what it is for, limits, storage, access, documentation, and what nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from packhorse.cli.output import number
from packhorse.model.site import Site
from packhorse.model.site_parts import NodeKind, Part, Partition, Sourced, Storage
from packhorse.text.amounts import counted, size, span

SCHEDULERS = {
    "slurm": "Slurm",
    "torque": "TORQUE",
    "openpbs": "OpenPBS or PBS Pro",
    "local": "no scheduler: tasks run where you are",
}
PARTITIONS = ("partition", "nodes", "cores", "memory", "GPUs", "time", "longest", "")
STORAGE = ("storage", "where", "for", "quota", "files", "backup", "deleted")
# What people ask of every cluster, by the keys that answer it.
QUESTIONS = {
    "login": "where one logs in",
    "partitions": "its partitions",
    "max_array_index": "the largest index of an array",
    "max_jobs": "how many jobs one may have",
    "default_memory": "what a job gets that asks for no memory",
    "compute_internet": "whether jobs reach the internet",
    "storage": "which storage there is",
    "idle": "when an idle login is closed",
    "access": "who may use it",
    "documentation": "where its documentation is",
}


def site_lines(site: Site) -> Iterator[str]:
    """Yield all that is known of a site, under headings."""
    yield f"{site.name}: {site.title}" if site.title else site.name
    yield from (f"  {row}" for row in _head(site))
    parts = {
        "Partitions": _partitions(site),
        "Jobs": (*_limits(site), *_demands(site), *_programs(site)),
        "Storage": (*_storage(site), *_archive(site)),
        "Access": (*_login(site), *_access(site)),
        "Facts": _ends(site),
    }
    for heading, lines in parts.items():
        rows = list(lines)
        if rows:
            yield from (heading, *(f"  {row}" for row in rows))


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()


def _head(site: Site) -> Iterator[str]:
    if site.retired is not None:
        instead = f"; in its place: {', '.join(site.retired.successors)}" if site.retired.successors else ""
        yield f"gone since {site.retired.date or '?'}{instead}"
        yield from _beside("gone", site.retired, site.retired.about)
    yield from said("for", site.about)
    version = f" {site.scheduler_version}" if site.scheduler_version else ""
    yield f"scheduler: {SCHEDULERS[site.scheduler]}{version}"
    yield from said("system", ", ".join(filter(None, (site.system, site.interconnect))))


def said(what: str, words: str | Iterable[str]) -> Iterator[str]:
    """Yield `what: words` for each of them, and nothing where nothing is said."""
    for one in [words] if isinstance(words, str) else words:
        if one:
            yield f"{what}: {one}"


def _beside(what: str, part: Part, *more: str) -> Iterator[str]:
    """Yield what stands beside the numbers of a part: more words, and what nobody has verified."""
    yield from said(what, more)
    yield from said(f"{what}, not verified", part.doubt)


def _known(value: Any, shown: Any = str) -> str:
    return "?" if value is None else str(shown(value))


# --- Partitions ---


def _partitions(site: Site) -> Iterator[str]:
    if not site.partitions:
        return
    yield from aligned([PARTITIONS, *map(_partition, site.partitions)])
    yield "cores, memory and GPUs: of one node; time: of a job that asks for none; ?: not known"
    for one in site.partitions:
        yield from _beside(one.name, one, one.about, *map(_kind, one.kinds))


def _partition(one: Partition) -> tuple[str, ...]:
    gpus = f"{one.gpus} {one.gres}" if one.gpus else "-"
    times = (_known(one.default_time, span), _known(one.max_time, span))
    sizes = (_known(one.nodes), _known(one.cores), _known(one.memory, size), gpus)
    return (one.name, *sizes, *times, "; ".join(_remarks(one)))


def _remarks(one: Partition) -> Iterator[str]:
    if one.default:
        yield "default"
    if one.test:
        yield "for tests"
    meant = [purpose for purpose in one.purpose if purpose not in ("test", "gpu")]
    if meant:
        yield f"for {' and '.join(meant)} jobs"
    yield from filter(None, [one.gpu])
    if one.by_request:
        yield f"by request ({one.open_to})" if one.open_to else "by request"
    if one.whole_nodes:
        yield "whole nodes"
    if one.by_gpu:
        yield "cores and memory follow the GPUs"
    yield from _at_most(one)


def _at_most(one: Partition) -> Iterator[str]:
    if one.min_nodes is not None:
        yield f"at least {counted(one.min_nodes, 'node')} a job"
    for most, what in ((one.max_nodes, "node"), (one.max_cores, "core"), (one.max_gpus, "GPU")):
        if most is not None:
            yield f"at most {counted(most, what)} a job"
    user = ((one.max_user_jobs, "running job"), (one.max_user_queued, "job"), (one.max_user_gpus, "GPU"))
    for most, what in user:
        if most is not None:
            yield f"at most {counted(most, what)} a user"


def _kind(one: NodeKind) -> str:
    parts = [
        counted(one.nodes, "node") if one.nodes else "",
        counted(one.cores, "core") if one.cores else "",
        size(one.memory) if one.memory else "",
        f"{one.gpus} {one.gpu or 'GPUs'}" if one.gpus else "",
        f"--gres={one.gres}:N" if one.gres else "",
        f"--constraint={one.constraint}" if one.constraint else "",
    ]
    doubt = f" (not verified: {one.doubt})" if one.doubt else ""
    return f"nodes {one.name}: {', '.join(filter(None, parts))}{doubt}"


# --- Limits and what jobs must say ---


def _limits(site: Site) -> Iterator[str]:
    """Yield what a site limits, in sentences."""
    numbers = {
        "arrays: indices up to {}": site.max_array_index,
        "at most {} jobs of one user, elements of arrays included": site.max_jobs,
        "at most {} cores of one user at a time": site.max_user_cores,
    }
    yield from (words.format(number(one)) for words, one in numbers.items() if one is not None)
    sizes = {
        "at most {} of memory of one user at a time": site.max_user_memory,
        "memory: {} a core for a job that asks for none": site.default_memory,
    }
    yield from (words.format(size(one)) for words, one in sizes.items() if one is not None)
    if site.scheduler != "local":
        yield f"the scheduler is asked at most every {span(site.poll)}"


def _demands(site: Site) -> Iterator[str]:
    if site.account_needed:
        where = f" ({site.account_about})" if site.account_about else ""
        yield f"a job must name an account{where}: cluster: {{account: ...}} in the study, or --account"
    if not site.array_mail:
        yield "arrays may not ask for mail"
    mail = site.mail
    yield from said("mail", f"may be asked for at {', '.join(mail.when)}" if mail.when else "")
    yield from said("mail", f"addresses end with {mail.addresses}" if mail.addresses else "")
    yield from _beside("mail", mail, mail.about)
    if not site.compute_submits:
        yield "jobs may not submit jobs"
    if site.compute_internet is not None:
        yield "jobs reach the internet" if site.compute_internet else "jobs do not reach the internet"
    if site.build_on == "job":
        yield "environments are built in a job"
    yield from said("several nodes", f"started with {site.launcher}" if site.launcher else "")
    yield from said("every job begins with", site.setup)
    yield from said("mind", site.rules)


def _programs(site: Site) -> Iterator[str]:
    modules = site.modules
    yield from said("modules", ", ".join(modules.known))
    yield from said("python3", f"{modules.load} {modules.python}" if modules.python else "")
    yield from said("Rscript", f"{modules.load} {modules.r}" if modules.r else "")
    yield from said("loaded by default", ", ".join(modules.loaded))
    yield from _beside("modules", modules)


# --- Storage ---


def _storage(site: Site) -> Iterator[str]:
    if site.storage:
        yield from aligned([STORAGE, *map(_area, site.storage)])
    for one in site.storage:
        yield from _beside(one.name, one, one.retention, one.speed, one.about)
    yield from said("scratch of a node", site.scratch)
    yield from said("how much is used", site.quota_commands)


def _area(one: Storage) -> tuple[str, ...]:
    quota = _known(one.quota, _large) + (" a project" if one.quota_per == "project" else "")
    backup = {None: "?", True: "yes", False: "no"}[one.backup]
    purge = "-" if one.purge is None else f"{span(one.purge)} after the last {one.purge_clock}"
    where = f"{one.path or '?'}{' (of a node)' if one.local else ''}"
    return (one.name, where, ", ".join(one.purpose) or "-", quota, _known(one.inodes, number), backup, purge)


def _large(mib: int) -> str:
    """Return an amount of disk, of which nobody needs the last digit."""
    return f"{mib / 1024**2:.3g} TB" if mib >= 1024**2 else size(mib)


def _archive(site: Site) -> Iterator[str]:
    archive = site.archive
    if archive.title or archive.quota is not None:
        quota = f", {_large(archive.quota)}" if archive.quota is not None else ""
        modules = f"; {site.modules.load} {' '.join(archive.modules)}" if archive.modules else ""
        yield f"archive: {archive.title or 'yes'}{quota}{modules}"
    if archive.min_file is not None:
        yield f"archive: files below {size(archive.min_file)} belong into a bundle"
    if archive.max_file is not None:
        yield f"archive: files in a bundle have at most {size(archive.max_file)}"
    yield from said("archive", f"closed {archive.closed}" if archive.closed else "")
    yield from _beside("archive", archive, archive.about)


# --- Access, sources, and what nobody knows ---


def _login(site: Site) -> Iterator[str]:
    yield from said("login", site.login)
    yield from said("login nodes", ", ".join(site.hosts))
    limits = site.login_limits
    if limits.cpu_time is not None:
        yield f"login nodes: processes end after {span(limits.cpu_time)} of CPU time"
    if limits.memory is not None:
        yield f"login nodes: {size(limits.memory)} of memory a user"
    if limits.processes is not None:
        yield f"login nodes: {number(limits.processes)} processes a user"
    yield from _beside("login nodes", limits, limits.about)


def _access(site: Site) -> Iterator[str]:
    access = site.access
    yield from said("for whom", access.who)
    yield from (f"step {place}: {step}" for place, step in enumerate(access.steps, 1))
    yield from said("until then it takes", access.delay)
    yield from said("a login asks for", access.asks)
    yield from said("SSH keys", access.keys)
    if site.idle is not None:
        yield f"a login that does nothing for {span(site.idle)} is closed"
    yield from said("'permission denied'", access.denied)
    yield from said("help", access.help)
    yield from said("do not ask", access.help_not)
    yield from _beside("access", access)
    yield from said("not there", site.maintenance)


def _ends(site: Site) -> Iterator[str]:
    yield from said("documentation", site.documentation)
    yield from said("from", ", ".join(filter(None, (site.source, site.date))))
    for origin, names in _origins(site).items():
        yield f"{', '.join(names)}: from {origin}"
    for one in site.sources:
        yield from _beside(one.name.replace("_", " "), one)
    yield from said("not verified", site.doubt)
    if site.scheduler != "local" and site.retired is None:
        empty = Site(name="")
        unknown = [said for key, said in QUESTIONS.items() if getattr(site, key) == getattr(empty, key)]
        yield from said("not known", "; ".join(unknown))


def _origins(site: Site) -> dict[str, list[str]]:
    """Return the parts of a site that are from elsewhere or of another day, by where they are from."""
    parts: dict[str, Part] = {
        name: getattr(site, name) for name in ("access", "modules", "mail", "archive", "login_limits")
    }
    several: tuple[Partition | Storage | Sourced, ...] = (*site.partitions, *site.storage, *site.sources)
    parts |= {one.name: one for one in several}
    found: dict[str, list[str]] = {}
    for name, part in parts.items():
        origin = ", ".join(filter(None, (part.source, part.date)))
        if origin:
            found.setdefault(origin, []).append(name.replace("_", " "))
    return found
