"""What the porter's answers look like: a site that says anything else is told so, and nothing of it is believed."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from packhorse.model.errors import RunError

Size = Annotated[int, msgspec.Meta(ge=0)]
Row = tuple[str, Size, float, Size]  # name, size, mtime, mode


class PathFacts(TypedDict):
    """What a path means there."""

    path: str
    exists: NotRequired[bool]
    writable: NotRequired[bool]
    free: NotRequired[int]
    files: NotRequired[int | None]


class Hello(TypedDict):
    """Who and where we are."""

    user: str
    home: str
    host: str
    python: str
    version: str
    programs: dict[str, str]
    paths: list[PathFacts]


class CommandReply(TypedDict):
    """What a command said."""

    status: int | None
    stdout: str
    stderr: str


class RunChanges(TypedDict):
    """What is new in a run directory."""

    files: dict[str, str]
    ends: dict[str, str]
    marks: dict[str, tuple[int, int]]
    names: list[str]
    there: bool


class Listing(TypedDict):
    """Files of a folder."""

    path: str
    kind: str
    files: list[Row]
    other: list[str]


class PartSizes(TypedDict):
    """What is there of files that are to come."""

    path: str
    found: list[int]


class FileHeader(TypedDict):
    """What is told before a file's bytes."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=-1)]
    mode: NotRequired[Size]
    mtime: NotRequired[float]


class Named(TypedDict):
    """Whether a file that came another way got its name."""

    named: bool


class Made(TypedDict):
    """Whether it was made."""

    made: bool


class Extent(TypedDict):
    """How much there is."""

    size: Size
    files: Size


REPLY_TYPES: dict[str, Any] = {
    "hello": Hello,
    "run": CommandReply,
    "run_loaded": CommandReply,
    "look": RunChanges,
    "list": Listing,
    "begun": PartSizes,
    "name": Named,
    "patch": Made,
    "claim": Made,
    "extent": Extent,
}


def check_reply(site: str, answer: dict[str, Any], shape: Any) -> dict[str, Any]:
    """Return an answer that has a shape; raise RunError for any other."""
    try:
        msgspec.convert(answer, shape)
    except msgspec.ValidationError as error:
        raise malformed_reply(site, str(error)) from None
    return answer


def malformed_reply(site: str, what: str) -> RunError:
    """Return what it means that a site says what its porter never would."""
    return RunError(
        f"{site} gave an answer that makes no sense ({what[:80]!r})",
        f"the same command tries again; packhorse shell {site} shows what a login there prints",
    )
