"""Types of the remote agent's replies. A reply of any other type is an error, and nothing of it is used."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypedDict

import msgspec
from msgspec import Struct

from packhorse.model.errors import RunError
from packhorse.model.site_python import SitePython

Size = Annotated[int, msgspec.Meta(ge=0)]
Row = tuple[str, Size, float, Size]  # name, size, mtime, mode


class PathFacts(TypedDict):
    """What the agent knows of a path."""

    path: str
    exists: NotRequired[bool]
    writable: NotRequired[bool]
    free: NotRequired[int]
    files: NotRequired[int | None]


class Hello(TypedDict):
    """The user, the machine and its Python, asked at the start of a session."""

    user: str
    home: str
    host: str
    python: str
    version: str
    programs: dict[str, str]
    paths: list[PathFacts]


class CommandReply(TypedDict):
    """Exit status and output of a command; status None where it did not exit by itself."""

    status: int | None
    stdout: str
    stderr: str


class RunChanges(TypedDict):
    """New content of a run directory since the last poll."""

    files: dict[str, str]
    ends: dict[str, str]
    marks: dict[str, tuple[int, int]]
    names: list[str]
    there: bool


class FolderListing(TypedDict):
    """The files of a folder."""

    path: str
    kind: str
    files: list[Row]
    other: list[str]


class PartSizes(TypedDict):
    """How many bytes of files to upload exist already; -1 for a complete file."""

    path: str
    found: list[int]


class FileHeader(TypedDict):
    """The header of a file's bytes; size -1 for a file that does not exist."""

    name: str
    size: Annotated[int, msgspec.Meta(ge=-1)]
    mode: NotRequired[Size]
    mtime: NotRequired[float]


class Renamed(TypedDict):
    """Whether a file that rsync uploaded was renamed to its final name."""

    named: bool


class Created(TypedDict):
    """Whether the file or folder was created."""

    made: bool


class Extent(TypedDict):
    """Total size and number of files of a folder."""

    size: Size
    files: Size


class LoadedModules(TypedDict):
    """Exit status and last lines of the shell that loaded modules."""

    status: int
    said: list[str]


class FoundPrograms(Struct, frozen=True, kw_only=True):
    """Paths of programs, "" for a missing one, and the Pythons that start."""

    programs: dict[str, str]
    pythons: tuple[SitePython, ...]


class Heartbeat(Struct, frozen=True, kw_only=True):
    """The builder of an environment; `beat` grows while it runs."""

    host: str
    pid: int
    beat: int
    step: str = ""  # what it does


class BuildFailure(Struct, frozen=True, kw_only=True):
    """The command of a build that failed, and its last lines of output."""

    argv: tuple[str, ...]
    lines: tuple[str, ...]
    status: int | str | None = None  # exit status, or a reason
    late: float | None = None  # the time limit that was reached, in seconds


class BuildJob(Struct, frozen=True, kw_only=True):
    """The job that builds an environment."""

    job: str


class EnvironmentState(Struct, frozen=True, kw_only=True):
    """An environment: the content of its file if it is complete, and the progress of its build if it is claimed."""

    path: str
    whole: dict[str, Any] | None
    claimed: bool
    changed: bool = False  # whether packages were added or removed after it was complete
    alive: Heartbeat | None = None
    failed: BuildFailure | None = None
    job: BuildJob | None = None
    gone: bool = False  # the builder ran on the login node and no longer runs
    received: Size = 0  # bytes that were uploaded for the build
    tail: str = ""  # of the log


class BuildClaim(TypedDict):
    """Whether the claim of an environment is this session's, and its folder."""

    ours: bool
    folder: str


class BuildStarted(TypedDict):
    """The argv of a builder and the path of its log."""

    argv: list[str]
    log: str


class EnvironmentRow(Struct, frozen=True, kw_only=True):
    """An environment in a list; `whole` is the content of its file, None for an incomplete one."""

    name: str
    bytes: Size
    files: Size
    whole: dict[str, Any] | None


class EnvironmentList(Struct, frozen=True, kw_only=True):
    """The environments in a folder."""

    path: str
    rows: tuple[EnvironmentRow, ...]


REPLY_TYPES: dict[str, Any] = {
    "hello": Hello,
    "run": CommandReply,
    "run_loaded": CommandReply,
    "look": RunChanges,
    "list": FolderListing,
    "begun": PartSizes,
    "name": Renamed,
    "patch": Created,
    "claim": Created,
    "extent": Extent,
    "loaded": LoadedModules,
    "find": FoundPrograms,
    "environment": EnvironmentState,
    "prepare": BuildClaim,
    "build": BuildStarted,
    "environments": EnvironmentList,
}


def check_reply(site: str, reply: dict[str, Any], expected: Any) -> dict[str, Any]:
    """Return a reply of the given type; raise RunError for any other."""
    try:
        msgspec.convert(reply, expected)
    except msgspec.ValidationError as error:
        raise malformed_reply(site, str(error)) from None
    return reply


def malformed_reply(site: str, detail: str) -> RunError:
    """Return the error for a reply that the remote agent never sends, such as output of the login's startup files."""
    return RunError(
        f"{site} sent a malformed reply ({detail[:80]!r})",
        f"run this command again; packhorse shell {site} shows what a login there prints",
    )
