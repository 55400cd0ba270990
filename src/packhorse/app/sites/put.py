"""Upload files and folders to a site."""

from __future__ import annotations

from pathlib import Path

from packhorse.model.errors import UsageError
from packhorse.project.reporter import Reporter
from packhorse.remote.transfer import Transferred, split, ssh_transport, upload
from packhorse.ssh.file_transfer import OnBytes


def put(
    sources: list[Path], said: str, folder: Path, reporter: Reporter, told: OnBytes | None = None
) -> list[Transferred]:
    """Send files and folders to `SITE:PLACE`: into that folder, or where it ends in no slash and one is sent, as it."""
    site, place = split(said, "packhorse put FILE hec:project/")
    absent = [str(one) for one in sources if not one.exists()]
    if absent:
        raise UsageError(f"{absent[0]} does not exist", "packhorse put FILE... SITE:PLACE")
    there = ssh_transport(site, folder)
    into = len(sources) > 1 or place in ("", ".", "~") or place.endswith("/")
    with there.open():
        found = []
        for source in sources:
            name = source.resolve().name
            full = f"{place.rstrip('/') or '~'}/{name}" if into else place
            full = "/" + name if place == "/" else full
            found.append(Transferred(place=full, bytes=upload(there, source, full, reporter, told)))
        return found
