"""The base class of every object that `--json` prints."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct


class JsonOutput(Struct, frozen=True, kw_only=True, tag_field="format"):
    """An object that `--json` prints. Its first member, `format`, names the object and the version of its keys.

    A subclass sets `tag="packhorse-NAME/VERSION"`. New keys may appear in a version; a key that changes its
    meaning or disappears makes a new version.
    """


def builtins(value: Struct) -> dict[str, Any]:
    """Return an object as `--json` prints it, made of dictionaries, lists, text and numbers."""
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found
