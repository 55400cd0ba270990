"""The limits of partitions and sites that one job of a user exceeds, and the partition that the job goes to."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from packhorse.model.job import Request
from packhorse.model.site import Partition, Site
from packhorse.plan.choice import Choice, named_notes, no_such, unchecked, undescribed
from packhorse.plan.fit import Reason, What, Wording, at_most, elsewhere, no_account, size_limits
from packhorse.text.amounts import counted, size, span


def option(name: str, value: str) -> str:
    """Return an option of the command line with its value."""
    return f"--{name.replace('_', '-')} {value}"


JOB = Wording(
    subject="the job",
    per_node=" on each node",
    write_gpus=option("gpus", "1"),
    fewer=lambda what, number: option("gpus", f"{max(1, number)} or fewer") if what == "gpus" else "",
)


def place_job(request: Request, site: Site) -> Choice:
    """Return the partition that a job goes to: the one it names, the site's default, else the first that fits."""
    general = tuple(site_limits(request, site))
    if undescribed(site, request.partition, request.gpus):
        choice = unchecked(site, request.partition, request.gpus)
    elif request.partition:
        choice = _named(request, site)
    else:
        choice = _first_that_fits(request, site)
    return Choice(partition=None, reasons=(*general, *choice.reasons)) if general else choice


def site_limits(request: Request, site: Site) -> Iterator[Reason]:
    """Yield why a site does not accept a job, in any partition."""
    if site.account_needed and not request.account:
        about = f" ({site.account_about})" if site.account_about else ""
        yield no_account(site, f"{option('account', 'NAME')}{about}")
    yield from _array(request, site)
    yield from _mail(request, site)
    cores = request.cores * request.nodes
    if site.max_user_cores is not None and cores > site.max_user_cores:
        text = f"the job asks for {counted(cores, 'core')}; {site.name} allows a user {site.max_user_cores} at a time"
        yield Reason(what="cores", text=text, advice="ask for less")
    memory = (_node_memory(request) or 0) * request.nodes
    if site.max_user_memory is not None and memory > site.max_user_memory:
        limit = size(site.max_user_memory)
        text = f"the job asks for {size(memory)}; {site.name} allows a user {limit} at a time"
        yield Reason(what="memory", text=text, advice="ask for less")


def job_limits(request: Request, site: Site, partition: Partition) -> list[Reason]:
    """Return the limits of a partition that a job exceeds, without the advice to go elsewhere."""
    memory = _node_memory(request)
    reasons = [
        *_time(request, partition),
        *_nodes(request, partition),
        *size_limits(request, memory, partition, JOB),
    ]
    given = (site.default_memory or 0) * request.cores
    if not memory and partition.memory is not None and given > partition.memory:
        text = f"the job asks for no memory and gets {size(given)} on each node"
        has = f"nodes of {partition.name} have {size(partition.memory)}"
        reasons.append(Reason(what="memory", text=f"{text}; {has}"))
    gpus = request.gpus * request.nodes
    if partition.max_user_gpus is not None and gpus > partition.max_user_gpus:
        text = f"the job asks for {counted(gpus, 'GPU')}; a user of {partition.name} may have {partition.max_user_gpus}"
        advice = JOB.fewer("gpus", partition.max_user_gpus // request.nodes)
        reasons.append(Reason(what="gpus", text=text, advice=advice))
    return reasons


def _named(request: Request, site: Site) -> Choice:
    partition = site.partition(request.partition)
    if partition is None:
        return Choice(partition=None, reasons=(no_such(site, request.partition, option),))
    reasons = tuple(_advised_limits(request, site, partition))
    return Choice(
        partition=None if reasons else partition, reasons=reasons, notes=tuple(named_notes(site, partition))
    )


def _first_that_fits(request: Request, site: Site) -> Choice:
    ordered = sorted(site.partitions, key=lambda partition: _order(partition, request))
    usual = [partition for partition in ordered if not partition.by_request and not partition.test] or ordered
    chosen = next((partition for partition in usual if not job_limits(request, site, partition)), None)
    first = usual[0]
    if chosen is None:
        return Choice(partition=None, reasons=tuple(_advised_limits(request, site, first)))
    if chosen.name == first.name:
        return Choice(partition=chosen)
    why = "; ".join(reason.text for reason in job_limits(request, site, first))
    return Choice(partition=chosen, notes=(f"partition {chosen.name}, since {why}",))


def _order(partition: Partition, request: Request) -> tuple[bool, bool, bool, bool, bool]:
    """Return the key by which partitions are tried: those for the job's kind first, GPUs only for jobs that use them."""
    kind = "serial" if request.nodes * max(request.cores, request.tasks) == 1 else "parallel"
    other_kind = bool(partition.purpose) and not request.gpus and kind not in partition.purpose
    gpus_differ = bool(partition.gpus) != bool(request.gpus)
    return (partition.by_request, partition.test, gpus_differ, other_kind, not partition.default)


def _advised_limits(request: Request, site: Site, partition: Partition) -> Iterator[Reason]:
    """Yield the limits that a job exceeds, with what to do about each."""

    def fits(other: Partition) -> bool:
        return not job_limits(request, site, other)

    for reason in job_limits(request, site, partition):
        advice = elsewhere(reason.what, site, fits, option) or reason.advice or _less(reason.what, site)
        yield replace(reason, advice=advice)


def _less(what: What, site: Site) -> str:
    return "ask for less" if what == "time" else at_most(what, site)


def _time(request: Request, partition: Partition) -> Iterator[Reason]:
    most = partition.max_time
    if request.seconds is not None and most is not None and request.seconds > most:
        text = f"the job asks for {span(request.seconds)}; {partition.name} allows {span(most)}"
        yield Reason(what="time", text=text, advice=option("time", f"'{span(most)}' or less"))


def _nodes(request: Request, partition: Partition) -> Iterator[Reason]:
    asks, name = f"the job asks for {counted(request.nodes, 'node')}", partition.name
    known = [number for number in (partition.nodes, partition.max_nodes) if number is not None]
    most = min(known, default=request.nodes)
    if request.nodes > most:
        limit = f"a job of {name} may have {most}" if most == partition.max_nodes else f"{name} has {most}"
        yield Reason(what="nodes", text=f"{asks}; {limit}", advice=option("nodes", f"{most} or fewer"))
    if partition.min_nodes is not None and request.nodes < partition.min_nodes:
        text = f"{asks}; jobs of {name} have at least {partition.min_nodes}"
        yield Reason(what="nodes", text=text, advice=option("nodes", str(partition.min_nodes)))


def _node_memory(request: Request) -> int | None:
    """Return the MiB that a job asks for on each node; None: it asks for none."""
    if request.core_memory is not None:
        return request.core_memory * max(1, request.cores)
    return request.memory


def _array(request: Request, site: Site) -> Iterator[Reason]:
    if not request.indices:
        return
    largest = max(last for _, last, _ in request.indices)
    if site.max_array_index is not None and largest > site.max_array_index:
        text = f"the array has an element {largest}; the maximum at {site.name} is {site.max_array_index}"
        advice = "let the program do several numbers in one job, or submit in parts"
        yield Reason(what="array", text=text, advice=advice)
    number = elements(request)
    if site.max_jobs is not None and number > site.max_jobs:
        allowed = counted(site.max_jobs, "job")
        text = f"the array has {counted(number, 'element')}; {site.name} allows {allowed} per user"
        yield Reason(what="submit", text=text, advice="submit it in parts")


def elements(request: Request) -> int:
    """Return the number of elements of a job's array; 0 where it is not an array."""
    return sum(len(range(first, last + 1, step)) for first, last, step in request.indices)


def _mail(request: Request, site: Site) -> Iterator[Reason]:
    if not request.mail:
        return
    if request.indices and not site.array_mail:
        text = f"{site.name} refuses arrays that request email"
        advice = "omit --mail, or let a job that waits for the array send it"
        yield Reason(what="mail", text=text, advice=advice)
    unknown = [when for when in request.mail_when if site.mail.when and when not in site.mail.when]
    if unknown:
        text = f"{site.name} sends no email at {' and '.join(unknown)}"
        yield Reason(what="mail", text=text, advice=option("mail_when", ",".join(site.mail.when)))
    ending = site.mail.addresses
    if ending and not request.mail.lower().endswith(ending.lower()):
        text = f"{site.name} sends email only to addresses that end with {ending}"
        yield Reason(what="mail", text=text, advice="use another --mail")
