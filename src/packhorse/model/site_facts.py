"""Facts about a site that its cluster reported itself."""

from __future__ import annotations

from msgspec import Struct

from packhorse.model.site import Site


class SiteFacts(Struct, frozen=True, kw_only=True):
    """A site as its cluster reports it. A limit that is named in `facts` and has no value does not exist."""

    site: Site
    facts: frozenset[str]  # keys of the site that the cluster reported
    partition_facts: frozenset[str]  # keys of its partitions that the cluster reported
    silent: tuple[str, ...] = ()  # what was asked without a reply, and why
