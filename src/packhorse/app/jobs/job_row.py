"""A job as `--json` prints it."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType


class JobRow(Struct, frozen=True, kw_only=True):
    """A job at the scheduler, or an array with all its elements. A key without a value is left out."""

    job: Annotated[str, Meta(description="The job's number.")]
    name: Annotated[str | UnsetType, Meta(description="The job's title.")] = UNSET
    run: Annotated[str | UnsetType, Meta(description="The run that submitted it.")] = UNSET
    state: Annotated[str | UnsetType, Meta(description="running, waiting, held, done, failed ...")] = UNSET
    counts: Annotated[dict[str, int] | UnsetType, Meta(description="Array elements by state.")] = UNSET
    word: Annotated[str | UnsetType, Meta(description="The scheduler's own name of the state.")] = UNSET
    reason: Annotated[str | UnsetType, Meta(description="Why it waits.")] = UNSET
    needs: Annotated[str | UnsetType, Meta(description="Action that must be taken for it to start.")] = UNSET
    start: Annotated[str | UnsetType, Meta(description="Expected start, ISO 8601, site's time.")] = UNSET
    elapsed: Annotated[int | UnsetType | None, Meta(description="Seconds since it started.")] = UNSET
    limit: Annotated[int | UnsetType | None, Meta(description="Requested seconds.")] = UNSET
    left: Annotated[int | UnsetType | None, Meta(description="Seconds until its limit.")] = UNSET
    nodes: Annotated[tuple[str, ...] | UnsetType, Meta(description="Nodes on which it runs.")] = UNSET
    exit: Annotated[int | UnsetType | None, Meta(description="The exit status.")] = UNSET
    signal: Annotated[int | UnsetType | None, Meta(description="The signal that ended it.")] = UNSET
    by_staff: Annotated[bool | UnsetType, Meta(description="Whether the staff cancelled it.")] = UNSET
    end: Annotated[str | UnsetType, Meta(description="When it ended, ISO 8601 in the site's time.")] = UNSET
    cores: Annotated[int | UnsetType | None, Meta(description="Allocated cores.")] = UNSET
    cpu_used: Annotated[float | UnsetType | None, Meta(description="Share of core time used, 0 to 1.")] = (
        UNSET
    )
    memory: Annotated[int | UnsetType | None, Meta(description="Peak memory in MiB.")] = UNSET
    memory_asked: Annotated[int | UnsetType | None, Meta(description="Requested MiB on each node.")] = UNSET
