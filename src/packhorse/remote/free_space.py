"""How much a run may write where it will live: what is free there for everybody, and what the user's quota leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from packhorse.model.errors import RunError
from packhorse.remote.transport import SshTransport
from packhorse.sites import quotas

SPARE = 10 << 20  # bytes that a run needs beside what is sent: journals, logs
FILES = 100  # that it needs beside what is sent: an area with fewer left is as good as full


def apply_quotas(there: SshTransport, told: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was told of places there, with no more room than quotas leave; all are asked in one round trip."""
    places = [_mounted(about) for about in told]
    asked = [
        quotas.quota_command(one, there.user, there.hello["programs"]) if one.path else None for one in places
    ]
    commands = list(dict.fromkeys(one for one in asked if one))
    general = [quotas.site_quota_command(line) for line in there.site.quota_commands]
    sent = [(command, there.session.start_command(command)) for command in [*commands, *general]]
    said = {command.argv: there.session.command_result(number, command).stdout for command, number in sent}
    found = []
    for about, where, command in zip(told, places, asked, strict=True):
        texts = [said[one.argv] for one in [command, *general] if one and where.path]
        rows = (quotas.parse_quota(text, where) for text in texts)
        found.append(_less(about, next((row for row in rows if row), None)))
    return found


def _mounted(about: dict[str, Any]) -> quotas.MountedPath:
    return quotas.MountedPath(
        path=about["path"],
        kind=about.get("kind", ""),
        device=about.get("device", ""),
        mount=about.get("mount", ""),
    )


def _less(about: dict[str, Any], left: quotas.QuotaLeft | None) -> dict[str, Any]:
    """Return a place with the lesser of what is free and what a quota leaves, and which it was."""
    found = dict(about)
    for what, limit in (("free", left and left.bytes), ("files", left and left.files)):
        if limit is not None and (about[what] is None or limit < about[what]):
            found[what], found["quota"] = limit, True
    return found


def more_files(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether a place may hold more files than another."""
    return other["files"] is not None and (one["files"] is None or one["files"] > other["files"])


def check_room(site: str, room: dict[str, Any], others: str, size: int, files: int) -> None:
    """Raise RunError where so many bytes or files, and what a run needs beside them, have no room."""
    if room.get("free") is None:
        return
    whose = " left of your quota" if room.get("quota") else " free"
    cure = f"make space, or name another area: {others or '--area PATH'}"
    if size + SPARE > room["free"]:
        told = f"{room['path']} on {site} has {room['free'] / 1e6:,.0f} MB{whose}, and {size / 1e6:,.0f} MB are to go there"
        if not size:
            told = f"{room['path']} on {site} has {room['free'] / 1e6:,.0f} MB{whose}, too little for a run"
        raise RunError(told, cure)
    if room["files"] is not None and files + FILES > room["files"]:
        raise RunError(
            f"{room['path']} on {site} can hold {room['files']:,} more files{whose.replace(' free', '')}",
            cure,
        )
