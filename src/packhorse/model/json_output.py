"""The base class of every object that `--json` prints."""

from __future__ import annotations

from msgspec import Struct


class JsonOutput(Struct, frozen=True, kw_only=True, tag_field="format"):
    """An object that `--json` prints. Its first member, `format`, names the object and the version of its keys.

    A subclass sets `tag="packhorse-NAME/VERSION"`. New keys may appear in a version; a key that changes its
    meaning or disappears makes a new version.
    """
