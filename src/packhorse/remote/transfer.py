"""Transfer a user's files and folders to a site."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from packhorse.model.errors import UsageError
from packhorse.project.reporter import Reporter
from packhorse.remote.connection import site_login
from packhorse.remote.run_store import ANNOUNCE_BYTES
from packhorse.remote.transport import SshTransport
from packhorse.ssh.file_transfer import OnBytes, upload_missing


def upload_path(
    transport: SshTransport,
    source: Path,
    target: str,
    reporter: Reporter,
    on_bytes: OnBytes | None = None,
    check: Callable[[int, int], None] | None = None,
) -> int:
    """Upload a file or a folder to a path on the site, without files that are there already; return the bytes sent.

    `check` gets the bytes and the number of files before the upload, and may raise.
    """
    folder = target
    if source.is_file():
        folder, slash, name = target.rpartition("/")
        folder = folder or slash or "~"
        files = [(name, source)]
    else:
        files = list(local_files(source))

    def before(size: int, number: int) -> None:
        if check:
            check(size, number)
        if size > ANNOUNCE_BYTES:
            reporter.say(f"uploading {size / 1e6:,.0f} MB of {source.name} to {transport.site.name}")

    with transport.open():
        return upload_missing(transport.session, folder, files, before=before, on_bytes=on_bytes)


def local_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield (name below the folder, path) of the regular files in a folder; links are followed to files only."""
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            full = Path(folder) / name
            if full.is_file():
                yield full.relative_to(path).as_posix(), full


def split_site_path(text: str, example: str) -> tuple[str, str]:
    """Return the site and the path of `SITE:PATH`."""
    site, colon, path = text.partition(":")
    if not colon or not site or "/" in site:
        raise UsageError(f"{text} names no site; write SITE:PATH", f"for instance {example}")
    return site, path


def ssh_transport(name: str, folder: Path) -> SshTransport:
    """Return the transport of a site; raise UsageError where it is not reached over ssh."""
    site, _ = site_login(name, folder)
    return SshTransport(site, site.login)
