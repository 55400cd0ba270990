"""What a cluster tells of itself, as far as it tells."""

from __future__ import annotations

from msgspec import Struct

from packhorse.model.site import Site


class SiteFacts(Struct, frozen=True, kw_only=True):
    """A site as its machine shows it. A fact that is named here and has no value is a limit that there is not."""

    site: Site
    facts: frozenset[str]  # keys of the site that were told
    partition_facts: frozenset[str]  # and of each of its partitions
    silent: tuple[str, ...] = ()  # what did not answer, and why
