"""Download files, folders or runs from a site."""

from __future__ import annotations

from pathlib import Path

from packhorse.model.errors import UsageError
from packhorse.project.reporter import Reporter
from packhorse.remote.open_store import open_store
from packhorse.remote.transfer import ANNOUNCE_BYTES, Transferred, split, ssh_transport
from packhorse.rundir.directory import find_run
from packhorse.rundir.submissions import read_script_job
from packhorse.ssh.file_transfer import OnBytes, download_missing


def get(
    said: str, here: Path | None, folder: Path, reporter: Reporter, told: OnBytes | None = None
) -> Transferred:
    """Fetch a file or folder `SITE:PATH`, or all that a run has brought forth there."""
    if ":" not in said:
        run = find_run(folder, said)
        own = read_script_job(run)
        if own is not None:
            from packhorse.cluster.script_job import fetch_script_job

            place, came = fetch_script_job(run, own)
            return Transferred(place=str(place), bytes=came)
        before = _bytes(run.path)
        open_store(run).fetch_all(None)
        return Transferred(place=str(run.path), bytes=max(0, _bytes(run.path) - before))
    site, path = split(said, "packhorse get hec:project/results")
    there = ssh_transport(site, folder)
    with there.open():
        listed = there.session.call("list", path=path or "~")
        if not listed["kind"]:
            raise UsageError(
                f"there is no {path} on {there.site.name}", f"packhorse shell {there.site.name} to look"
            )
        name = listed["path"].rpartition("/")[2] or "root"
        target = here or folder / name
        if here is not None and here.is_dir():
            target = here / name
        if listed["kind"] == "file" and target.is_dir():
            raise UsageError(f"{target} is a folder", "name the file that it shall become")
        size = sum(row[1] for row in listed["files"])
        if size > ANNOUNCE_BYTES:
            reporter.say(f"fetching up to {size / 1e6:,.0f} MB from {there.site.name}")
        came = download_missing(there.session, listed, target, told)
    return Transferred(place=str(target), bytes=came, left=tuple(listed["other"]))


def _bytes(folder: Path) -> int:
    """Return the bytes of all files under a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
