"""Whether one job, as a user asks for it, fits a partition and a site, and to which partition it goes."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from packhorse.model.job import Request
from packhorse.model.site import Partition, Site
from packhorse.plan.choice import Choice, no_such, unchecked, undescribed
from packhorse.plan.fit import Reason, What, at_most, elsewhere
from packhorse.text.amounts import counted, size, span


def place_job(request: Request, site: Site) -> Choice:
    """Return the partition that a job goes to: the one it names, the site's default, else the first that fits."""
    general = tuple(site_limits(request, site))
    if undescribed(site, request.partition, request.gpus):
        found = unchecked(site, request.partition, request.gpus)
    elif request.partition:
        found = _named(request, site)
    else:
        found = _first(request, site)
    return Choice(partition=None, reasons=(*general, *found.reasons)) if general else found


def site_limits(request: Request, site: Site) -> Iterator[Reason]:
    """Yield why a site does not take a job, in whichever partition."""
    if site.account_needed and not request.account:
        about = f" ({site.account_about})" if site.account_about else ""
        text = f"jobs of {site.name} are charged to an account, and none is named"
        yield Reason(what="account", text=text, advice=f"{option('account', 'NAME')}{about}")
    yield from _array(request, site)
    yield from _mail(request, site)
    cores = request.cores * request.nodes
    if site.max_user_cores is not None and cores > site.max_user_cores:
        text = (
            f"the job asks {counted(cores, 'core')}; {site.name} gives a user {site.max_user_cores} at a time"
        )
        yield Reason(what="cores", text=text, advice="ask for less")
    memory = (_node_memory(request) or 0) * request.nodes
    if site.max_user_memory is not None and memory > site.max_user_memory:
        text = f"the job asks {size(memory)}; {site.name} gives a user {size(site.max_user_memory)} at a time"
        yield Reason(what="memory", text=text, advice="ask for less")


def option(name: str, value: str) -> str:
    """Return what to write for a wish, on the command line."""
    return f"--{name.replace('_', '-')} {value}"


def job_limits(request: Request, site: Site, partition: Partition) -> list[Reason]:
    """Return the limits of a partition that a job does not keep; without the advice to go elsewhere."""
    return [*_time(request, partition), *_nodes(request, partition), *_sizes(request, site, partition)]


def _named(request: Request, site: Site) -> Choice:
    partition = site.partition(request.partition)
    if partition is None:
        return Choice(partition=None, reasons=(no_such(site, request.partition, option),))
    reasons = tuple(_told(request, site, partition))
    if not partition.by_request:
        return Choice(partition=None if reasons else partition, reasons=reasons)
    who = f": {partition.open_to}" if partition.open_to else ""
    note = f"{partition.name} is open only to whom {site.name} has let in{who}"
    return Choice(partition=None if reasons else partition, reasons=reasons, notes=(note,))


def _first(request: Request, site: Site) -> Choice:
    tried = sorted(site.partitions, key=lambda one: _order(one, request))
    usual = [one for one in tried if not one.by_request and not one.test] or tried
    chosen = next((one for one in usual if not job_limits(request, site, one)), None)
    if chosen is None:
        return Choice(partition=None, reasons=tuple(_told(request, site, usual[0])))
    first = usual[0]
    if chosen.name == first.name:
        return Choice(partition=chosen)
    why = "; ".join(reason.text for reason in job_limits(request, site, first))
    return Choice(partition=chosen, notes=(f"partition {chosen.name}, since {why}",))


def _order(one: Partition, request: Request) -> tuple[bool, bool, bool, bool, bool]:
    """Order partitions as they are tried: for the job's kind, the default, and GPUs left to those who need them."""
    alone = request.nodes * max(request.cores, request.tasks) == 1
    foreign = (
        bool(one.purpose) and not request.gpus and ("serial" if alone else "parallel") not in one.purpose
    )
    return (one.by_request, one.test, bool(one.gpus) != bool(request.gpus), foreign, not one.default)


def _told(request: Request, site: Site, partition: Partition) -> Iterator[Reason]:
    """Yield the limits that a job does not keep, with what to do about each."""

    def fits(one: Partition) -> bool:
        return not job_limits(request, site, one)

    for reason in job_limits(request, site, partition):
        advice = elsewhere(reason.what, site, fits, option) or reason.advice or _less(reason.what, site)
        yield replace(reason, advice=advice)


def _less(what: What, site: Site) -> str:
    return "ask for less" if what == "time" else at_most(what, site)


def _time(request: Request, partition: Partition) -> Iterator[Reason]:
    most = partition.max_time
    if request.seconds is not None and most is not None and request.seconds > most:
        text = f"the job asks {span(request.seconds)}; {partition.name} allows {span(most)}"
        yield Reason(what="time", text=text, advice=option("time", f"'{span(most)}' or less"))


def _nodes(request: Request, partition: Partition) -> Iterator[Reason]:
    asked, name = counted(request.nodes, "node"), partition.name
    most = min(
        (number for number in (partition.nodes, partition.max_nodes) if number is not None), default=None
    )
    if most is not None and request.nodes > most:
        has = "has" if partition.max_nodes is None or most < partition.max_nodes else "gives a job"
        yield Reason(
            what="nodes",
            text=f"the job asks {asked}; {name} {has} {most}",
            advice=option("nodes", f"{most} or fewer"),
        )
    if partition.min_nodes is not None and request.nodes < partition.min_nodes:
        text = f"the job asks {asked}; {name} takes jobs of {partition.min_nodes} or more"
        yield Reason(what="nodes", text=text, advice=option("nodes", str(partition.min_nodes)))
    cores = request.cores * request.nodes
    if partition.max_cores is not None and cores > partition.max_cores:
        text = f"the job asks {counted(cores, 'core')}; {name} gives a job {partition.max_cores}"
        yield Reason(what="cores", text=text)


def _sizes(request: Request, site: Site, partition: Partition) -> Iterator[Reason]:
    """Refuse what is more than a node has."""
    nodes = f"nodes of {partition.name} have"
    if partition.cores is not None and request.cores > partition.cores:
        text = f"the job asks {counted(request.cores, 'core')} on each node; {nodes} {partition.cores}"
        yield Reason(what="cores", text=text)
    memory, given = _node_memory(request), (site.default_memory or 0) * request.cores
    if partition.memory is not None and (memory or given) > partition.memory:
        said = f"asks {size(memory)}" if memory else f"asks for no memory, so it is given {size(given)}"
        text = f"the job {said} on each node; {nodes} {size(partition.memory)}"
        yield Reason(what="memory", text=text)
    yield from _gpus(request, partition)


def _gpus(request: Request, partition: Partition) -> Iterator[Reason]:
    if partition.by_gpu and not request.gpus:
        text = f"jobs of {partition.name} are given cores and memory by their GPUs, and the job asks for none"
        yield Reason(what="gpus", text=text, advice=option("gpus", "1"))
    if request.gpus > partition.gpus:
        has = f"nodes of {partition.name} have {partition.gpus or 'none'}"
        yield Reason(what="gpus", text=f"the job asks {counted(request.gpus, 'GPU')} on each node; {has}")
    together = request.gpus * request.nodes
    for most, who in ((partition.max_gpus, "a job"), (partition.max_user_gpus, "a user")):
        if most is not None and together > most:
            text = f"the job asks {counted(together, 'GPU')}; {partition.name} gives {who} {most}"
            yield Reason(
                what="gpus", text=text, advice=option("gpus", f"{max(1, most // request.nodes)} or fewer")
            )


def _node_memory(request: Request) -> int | None:
    """Return the memory that a job asks for on each node; None where it asks for none."""
    if request.core_memory is not None:
        return request.core_memory * max(1, request.cores)
    return request.memory


def _array(request: Request, site: Site) -> Iterator[Reason]:
    if not request.indices:
        return
    largest = max(last for _, last, _ in request.indices)
    if site.max_array_index is not None and largest > site.max_array_index:
        text = f"the array has an element {largest}; at {site.name} {site.max_array_index} is the last"
        yield Reason(
            what="array",
            text=text,
            advice="let the program take several numbers in one job, or submit in parts",
        )
    number = elements(request)
    if site.max_jobs is not None and number > site.max_jobs:
        text = f"the array has {counted(number, 'element')}; {site.name} takes {counted(site.max_jobs, 'job')} of a user"
        yield Reason(what="submit", text=text, advice="submit it in parts")


def elements(request: Request) -> int:
    """Return how many elements the array of a job has; 0 where it is none."""
    return sum(len(range(first, last + 1, step)) for first, last, step in request.indices)


def _mail(request: Request, site: Site) -> Iterator[Reason]:
    if not request.mail:
        return
    if request.indices and not site.array_mail:
        text = f"{site.name} refuses arrays that ask for mail"
        yield Reason(
            what="mail", text=text, advice="leave --mail out, or let a job that waits for the array send it"
        )
    unknown = [when for when in request.mail_when if site.mail.when and when not in site.mail.when]
    if unknown:
        text = f"{site.name} sends no mail at {' and '.join(unknown)}"
        yield Reason(what="mail", text=text, advice=option("mail_when", ",".join(site.mail.when)))
    ending = site.mail.addresses
    if ending and not request.mail.lower().endswith(ending.lower()):
        yield Reason(
            what="mail",
            text=f"{site.name} sends mail only to addresses that end with {ending}",
            advice="name another --mail",
        )
