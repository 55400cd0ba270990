"""Transfer a user's files and folders to a site."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from packhorse.model.errors import UsageError
from packhorse.project.reporter import Reporter
from packhorse.remote.connection import site_login
from packhorse.remote.transport import SshTransport
from packhorse.ssh.file_transfer import OnBytes, upload_missing

ANNOUNCE_BYTES = 100 << 20  # bytes before whose sending their number is told


def upload_path(
    there: SshTransport,
    path: Path,
    place: str,
    reporter: Reporter,
    told: OnBytes | None = None,
    check: Callable[[int, int], None] | None = None,
) -> int:
    """Send a file or a folder to a path there, what is not there yet; return the bytes that went.

    `check` learns how many bytes and files will go, and may refuse.
    """
    folder = place
    if path.is_file():
        folder, slash, name = place.rpartition("/")
        folder = folder or slash or "~"
        found = [(name, path)]
    else:
        found = list(local_files(path))

    def announce(size: int, files: int) -> None:
        if check:
            check(size, files)
        if size > ANNOUNCE_BYTES:
            reporter.say(f"sending {size / 1e6:,.0f} MB of {path.name} to {there.site.name}")

    with there.open():
        return upload_missing(there.session, folder, found, before=announce, on_bytes=told)


def local_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the regular files under a folder by their names in it; links are followed to files, not to folders."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            full = Path(folder) / name
            if full.is_file():
                yield full.relative_to(path).as_posix(), full


def split_site_path(said: str, example: str) -> tuple[str, str]:
    """Return the site and the path of `SITE:PATH`."""
    site, colon, path = said.partition(":")
    if not colon or not site or "/" in site:
        raise UsageError(f"{said} names no site: a place there is SITE:PATH", f"for instance {example}")
    return site, path


def ssh_transport(site: str, folder: Path) -> SshTransport:
    """Return the way to a site; raise UsageError where it is not reached over ssh."""
    found, _ = site_login(site, folder)
    return SshTransport(found, found.login)
