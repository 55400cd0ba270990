"""Where on a site a study runs, in which shape, and what that costs: said before anything is sent."""

from __future__ import annotations

from msgspec import Struct

from packhorse.app.source import Source
from packhorse.model.job import Request
from packhorse.model.site import Partition, Site
from packhorse.plan.waves import IndexRange, count
from packhorse.results.fold import Fold


class Rung(Struct, frozen=True, kw_only=True):
    name: str
    slots: int
    cores: int
    memory: int | None = None
    gpus: int = 0
    seconds: int | None = None
    elements: int = 1
    whole_nodes: bool = False


class Shape(Struct, frozen=True, kw_only=True):
    partition: str
    elements: int
    slots: int


class Place(Struct, frozen=True, kw_only=True):
    """A site, and what was asked of it."""

    site: Site
    partition: str = ""
    account: str = ""
    qos: str = ""
    max_jobs: int = 0
    core_hours: float | None = None
    mail: str = ""
    options: tuple[str, ...] = ()


class Proposal(Struct, frozen=True, kw_only=True):
    shape: Shape
    rungs: tuple[Rung, ...]
    notes: tuple[str, ...] = ()
    name: str = ""

    def check(self):
        pass

    def request(self, place):
        return Request(name=self.name, partition=self.shape.partition, account=place.account, qos=place.qos)

    def sentence(self, job):
        return f"submitted job {job}: {self.shape.elements} jobs of {self.shape.slots} tasks at a time"


def place_of(source, site, **said):
    partitions = (
        Partition(name="general", nodes=4, cores=8, memory=16000, default_time=3600, max_time=7 * 86400, default=True),
    )
    return Place(
        site=Site(name="testbed", partitions=partitions, poll=2.0, latency=1.0, max_array_index=10000), **said
    )


def propose(study, place, space, fold, ranges):
    n = count(ranges)
    slots = min(8, n)
    elements = max(1, min(4, n // slots))
    rung = Rung(name="base", slots=slots, cores=slots, seconds=3600, elements=4)
    return Proposal(
        shape=Shape(partition="general", elements=elements, slots=slots), rungs=(rung,), name=study.name
    )
