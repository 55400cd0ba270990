"""Free space of storage areas on a site: of the file system, and of the user's quota."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.errors import RunError
from packhorse.remote.transport import SshTransport
from packhorse.sites import quotas
from packhorse.ssh.replies import malformed_reply

RUN_BYTES = 10 << 20  # that a run needs beside its upload: journals, logs
RUN_FILES = 100  # the same, in files; an area with fewer left counts as full


class AreaSpace(Struct, frozen=True, kw_only=True):
    """What the remote agent reports about a path on a site, and how much the user may write there."""

    path: str = ""  # in full; empty where it cannot be expanded, and then `why` says why
    why: str = ""
    writable: bool = False
    free: int | None = None  # bytes; None where that is not known
    files: int | None = None  # further files; None where there is no limit
    kind: str = ""  # of the file system
    device: str = ""
    mount: str = ""
    quota: bool = False  # whether the user's quota leaves less than the file system has

    def holds_more_files(self, other: AreaSpace) -> bool:
        """Return whether this area can hold more files than another."""
        return other.files is not None and (self.files is None or self.files > other.files)

    def after_upload(self, size: int, files: int) -> AreaSpace:
        """Return the space that an upload leaves."""
        return replace(
            self,
            free=None if self.free is None else self.free - size,
            files=None if self.files is None else self.files - files,
        )


UNKNOWN_SPACE = AreaSpace()


def area_spaces(site: str, reported: Sequence[dict[str, Any]]) -> list[AreaSpace]:
    """Return the space of paths as the remote agent of a site reported it; quotas may leave less."""
    try:
        return msgspec.convert(reported, list[AreaSpace])
    except msgspec.ValidationError as error:
        raise malformed_reply(site, str(error)) from None


def apply_quotas(ssh: SshTransport, reported: Sequence[dict[str, Any]]) -> list[AreaSpace]:
    """Return the space of paths as the remote agent reported them, limited by quotas; one round trip queries all."""
    spaces = area_spaces(ssh.site.name, reported)
    mounts = [
        quotas.MountedPath(path=space.path, kind=space.kind, device=space.device, mount=space.mount)
        for space in spaces
    ]
    programs = ssh.hello["programs"]
    queries = [quotas.quota_command(mount, ssh.user, programs) if mount.path else None for mount in mounts]
    general = [quotas.site_quota_command(line) for line in ssh.site.quota_commands]
    commands = list({command.argv: command for command in [*filter(None, queries), *general]}.values())
    sent = [(command, ssh.session.start_command(command)) for command in commands]
    output = {command.argv: ssh.session.command_result(number, command).stdout for command, number in sent}
    limited = []
    for space, mount, query in zip(spaces, mounts, queries, strict=True):
        texts = [output[command.argv] for command in [query, *general] if command and mount.path]
        quota = next(filter(None, (quotas.parse_quota(text, mount) for text in texts)), None)
        limited.append(_limit(space, quota) if quota else space)
    return limited


def _limit(space: AreaSpace, quota: quotas.QuotaLeft) -> AreaSpace:
    """Return the space of an area, with no more bytes and files than a quota leaves."""
    if quota.bytes is not None and (space.free is None or quota.bytes < space.free):
        space = replace(space, free=quota.bytes, quota=True)
    if quota.files is not None and (space.files is None or quota.files < space.files):
        space = replace(space, files=quota.files, quota=True)
    return space


def check_space(site: str, space: AreaSpace, others: str, size: int, files: int) -> None:
    """Raise RunError where an area cannot hold an upload of `size` bytes in `files` files, and what a run needs beside.

    `others` are options that name areas with more space.
    """
    if space.free is None:
        return
    limit = " left of your quota" if space.quota else " free"
    hint = f"free space there, or name another area: {others or '--area PATH'}"
    if size + RUN_BYTES > space.free:
        need = f"the upload has {size / 1e6:,.0f} MB" if size else "too little for a run"
        raise RunError(f"{space.path} on {site} has {space.free / 1e6:,.0f} MB{limit}; {need}", hint)
    if space.files is not None and files + RUN_FILES > space.files:
        quota = limit if space.quota else ""
        raise RunError(f"{space.path} on {site} can hold {space.files:,} more files{quota}", hint)
