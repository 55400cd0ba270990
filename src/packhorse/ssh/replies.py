"""What the porter's answers look like: a site that says anything else is told so, and nothing of it is believed."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec

from packhorse.model.errors import RunError

Size = Annotated[int, msgspec.Meta(ge=0)]
Row = tuple[str, Size, float, Size]  # name, size, mtime, mode


class Place(TypedDict):
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
    paths: list[Place]


class Ran(TypedDict):
    """What a command said."""

    status: int | None
    stdout: str
    stderr: str


class Look(TypedDict):
    """What is new in a run directory."""

    files: dict[str, str]
    ends: dict[str, str]
    marks: dict[str, tuple[int, int]]
    names: list[str]
    there: bool


class Listed(TypedDict):
    """Files of a folder."""

    path: str
    kind: str
    files: list[Row]
    other: list[str]


class Begun(TypedDict):
    """What is there of files that are to come."""

    path: str
    found: list[int]


class Given(TypedDict):
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


SHAPES: dict[str, Any] = {
    "hello": Hello,
    "run": Ran,
    "run_loaded": Ran,
    "look": Look,
    "list": Listed,
    "begun": Begun,
    "name": Named,
    "patch": Made,
    "claim": Made,
    "extent": Extent,
}


def checked(site: str, answer: dict[str, Any], shape: Any) -> dict[str, Any]:
    """Return an answer that has a shape; raise RunError for any other."""
    try:
        msgspec.convert(answer, shape)
    except msgspec.ValidationError as error:
        raise nonsense(site, str(error)) from None
    return answer


def nonsense(site: str, what: str) -> RunError:
    """Return what it means that a site says what its porter never would."""
    return RunError(
        f"{site} gave an answer that makes no sense ({what[:80]!r})",
        f"the same command tries again; packhorse shell {site} shows what a login there prints",
    )
