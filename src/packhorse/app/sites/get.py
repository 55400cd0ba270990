"""Download files, folders or runs from a site."""

from __future__ import annotations

from pathlib import Path

from packhorse.app.sites.put import TransferredPath
from packhorse.cluster.script_job import fetch_script_job
from packhorse.model.errors import UsageError
from packhorse.project.reporter import Reporter
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import ANNOUNCE_BYTES
from packhorse.remote.transfer import split_site_path, ssh_transport
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.submissions import read_script_job
from packhorse.ssh.file_transfer import OnBytes, download_missing


def get(
    source: str, here: Path | None, folder: Path, reporter: Reporter, on_bytes: OnBytes | None = None
) -> TransferredPath:
    """Download a file or folder `SITE:PATH`, or everything that a run has on its site."""
    if ":" not in source:
        return _get_run(find_run(folder, source))
    site, path = split_site_path(source, "packhorse get hec:project/results")
    transport = ssh_transport(site, folder)
    name_there = transport.site.name
    with transport.open():
        listed = transport.session.call("list", path=path or "~")
        if not listed["kind"]:
            raise UsageError(f"{name_there} has no file {path}", f"to look: packhorse shell {name_there}")
        name = listed["path"].rpartition("/")[2] or "root"
        target = here or folder / name
        if here is not None and here.is_dir():
            target = here / name
        if listed["kind"] == "file" and target.is_dir():
            raise UsageError(f"{target} is a folder", "name a file to write")
        size = sum(row[1] for row in listed["files"])
        if size > ANNOUNCE_BYTES:
            reporter.say(f"downloading up to {size / 1e6:,.0f} MB from {name_there}")
        received = download_missing(transport.session, listed, target, on_bytes)
    return TransferredPath(place=str(target), bytes=received, left=tuple(listed["other"]))


def _get_run(run: RunDirectory) -> TransferredPath:
    """Download everything that a run has on its site."""
    job = read_script_job(run)
    if job is not None:
        place, received = fetch_script_job(run, job)
        return TransferredPath(place=str(place), bytes=received)
    before = _bytes(run.path)
    open_store(run).fetch_all(None)
    return TransferredPath(place=str(run.path), bytes=max(0, _bytes(run.path) - before))


def _bytes(folder: Path) -> int:
    """Return the bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
