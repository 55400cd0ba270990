"""Upload files and folders to a site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from packhorse.model.errors import UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.project.reporter import Reporter
from packhorse.remote.transfer import split_site_path, ssh_transport, upload_path
from packhorse.ssh.file_transfer import OnBytes


class TransferredPath(JsonOutput, frozen=True, kw_only=True, tag="packhorse-transfer/1"):
    """A file or folder that was transferred."""

    place: Annotated[str, Meta(description="Path of the copy.")]
    bytes: Annotated[int, Meta(description="Bytes that were transferred; 0: the copy was complete.")]
    left: Annotated[tuple[str, ...], Meta(description="Paths that are neither files nor folders.")] = ()


class Uploads(JsonOutput, frozen=True, kw_only=True, tag="packhorse-put/1"):
    """Files and folders that were uploaded."""

    put: Annotated[tuple[TransferredPath, ...], Meta(description="Each of them.")]


def put(
    sources: list[Path], target: str, folder: Path, reporter: Reporter, on_bytes: OnBytes | None = None
) -> Uploads:
    """Upload files and folders to `SITE:PLACE`.

    They go into the folder PLACE; where it does not end in a slash and there is one source, PLACE is its new name.
    """
    site, place = split_site_path(target, "packhorse put FILE hec:project/")
    absent = [str(source) for source in sources if not source.exists()]
    if absent:
        raise UsageError(f"{absent[0]} does not exist", "packhorse put FILE... SITE:PLACE")
    transport = ssh_transport(site, folder)
    into = len(sources) > 1 or place in ("", ".", "~") or place.endswith("/")
    with transport.open():
        uploads = []
        for source in sources:
            name = source.resolve().name
            full = f"{place.rstrip('/') or '~'}/{name}" if into else place
            full = "/" + name if place == "/" else full
            sent = upload_path(transport, source, full, reporter, on_bytes)
            uploads.append(TransferredPath(place=full, bytes=sent))
        return Uploads(put=tuple(uploads))
