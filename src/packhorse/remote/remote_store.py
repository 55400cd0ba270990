"""The store of a run on a site reached over ssh: the run directory is there, and the one here is a copy of it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.remote.free_space import UNKNOWN_SPACE, AreaSpace, check_space
from packhorse.remote.run_store import ANNOUNCE_BYTES, RunStore
from packhorse.remote.transport import SshTransport
from packhorse.rundir.directory import FOLDERS, RunDirectory
from packhorse.rundir.files import write_file
from packhorse.rundir.lock import exclusive_lock
from packhorse.ssh.delta import send_delta
from packhorse.ssh.file_transfer import (
    check_inside,
    download_missing,
    missing_rows,
    stream_files,
    upload_files,
    upload_missing,
)
from packhorse.worker.calls import FOLDER, RESULT
from packhorse.worker.tasks.artifacts import PARTIAL

REMOVE_SECONDS = 600.0  # for a slow file system to remove many files
# Held during a download, since other commands may download the same run at the same time.
LOCK, ARTIFACTS_LOCK = "far.lock", "artifacts.lock"
LOCK_SECONDS = 60.0
KNOWN = "far.json"  # sizes and times of the files that were downloaded
# What only the site writes, and what exists only here.
NOT_UPLOADED = (
    "journal",
    "logs",
    "artifacts",
    "checkpoints",
    "ends",
    "work",
    "watch",
    "warm",
    "lock",
    KNOWN,
    LOCK,
    ARTIFACTS_LOCK,
    "results.parquet",
    "results.csv",
    "failures.csv",
)
GROWING = ("journal", "logs")  # folders whose files only grow
# The small files that the site may write; anything else in its answer is ignored.
SMALL_FILES = re.compile(
    r"stopped\.json|cancelled|warm/[0-9a-f]{16}\.json|waves/\d+/(plan\.json|work\.json|submission\.json|owner)"
)
JOURNAL = re.compile(r"journal/[^/\0]+\.ndjson")


class RemoteRunStore(RunStore):
    """A run in `folder` on a site's file system."""

    cheap_to_poll = False

    def __init__(
        self,
        run: RunDirectory,
        transport: SshTransport,
        folder: str,
        python: str = "",
        *,
        space: AreaSpace = UNKNOWN_SPACE,
        larger_areas: str = "",
    ) -> None:
        """`space` is that of the storage area; `larger_areas` are options for areas with more of it."""
        super().__init__(run, transport)
        self.ssh, self.folder, self._python = transport, folder, python
        self.space, self.larger_areas = space, larger_areas

    @property
    def path(self) -> str:
        """The run directory there."""
        return self.folder

    @property
    def python(self) -> str:
        """The interpreter of the remote agent; compute nodes have the same."""
        return self._python or str(self.ssh.hello["python"])

    @property
    def remote_folder(self) -> str:
        """The run directory there."""
        return self.folder

    @property
    def remote_python(self) -> str:
        """The interpreter of the remote agent."""
        return self.python

    # Download

    def refresh(self, commands: Callable[[], Iterable[Command]] = tuple) -> None:
        """Download small files and the ends of journals that changed since the last refresh."""
        with self.ssh.open(), exclusive_lock(self.run.path / LOCK, LOCK_SECONDS):
            known = self._known_files()
            number = self.ssh.session.send("look", path=self.folder, known=known)
            for command in commands():
                self.ssh.prefetch(command)
            self._save_refresh(known, self.ssh.session.result(number))

    def _save_refresh(self, known: dict[str, list[int]], reply: dict[str, Any]) -> None:
        if not reply["there"]:
            raise RunError(
                f"{self.folder} does not exist on {self.ssh.site.name}: purged or removed",
                f"results downloaded so far: packhorse collect {self.run.argument}",
            )
        names = set(reply["names"])
        for name in ("stopped.json", "cancelled"):
            if name not in names:
                (self.run.path / name).unlink(missing_ok=True)
        small = [(name, text) for name, text in reply["files"].items() if SMALL_FILES.fullmatch(name)]
        ends = [(name, text) for name, text in reply["ends"].items() if JOURNAL.fullmatch(name)]
        for name, text in (*small, *((f"ends/{name.partition('/')[2]}", text) for name, text in ends)):
            self._save_file(name, text)
        merged = {name: mark for name, mark in {**known, **reply["marks"]}.items() if name in names}
        if merged != known or not (self.run.path / KNOWN).exists():
            write_file(self.run.path / KNOWN, msgspec.json.encode({"known": merged}))
        else:
            (self.run.path / KNOWN).touch()  # its time is that of the last known state

    def _save_file(self, name: str, text: str) -> None:
        path = self.run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith("waves/") and name.endswith("/plan.json"):
            (path.parent / "leases").mkdir(exist_ok=True)
        write_file(path, text.encode("utf-8", "surrogateescape"))

    def _known_files(self) -> dict[str, list[int]]:
        """Return size and time of each file that was downloaded and is still here."""
        try:
            known: dict[str, list[int]] = msgspec.json.decode((self.run.path / KNOWN).read_bytes())["known"]
        except (FileNotFoundError, msgspec.MsgspecError, KeyError):
            return {}
        return {name: mark for name, mark in known.items() if self._is_here(name)}

    def _is_here(self, name: str) -> bool:
        kind, _, rest = name.partition("/")
        if (self.run.path / name).exists():
            return True
        return kind == "journal" and (self.run.path / "ends" / rest).exists()

    def fetch_records(self) -> None:
        """Download the new bytes of journals, packs and logs; a download that was cut continues."""
        with self.ssh.open(), exclusive_lock(self.run.path / LOCK, LOCK_SECONDS):
            for kind in GROWING:
                self._fetch_growing(kind)
            if (self.run.path / FOLDER).is_dir():  # after the journals, whose records name the results
                self._fetch_growing(FOLDER)

    def _fetch_growing(self, kind: str) -> None:
        session = self.ssh.session
        folder = self.run.path / kind
        folder.mkdir(exist_ok=True)
        requests = []
        for name, size, *_ in session.call("list", path=f"{self.folder}/{kind}")["files"]:
            path = folder / check_inside(name)
            if kind == FOLDER and not name.endswith(RESULT):
                continue  # written here
            downloaded = path.stat().st_size if path.exists() else 0
            if size > downloaded:
                requests.append((name, downloaded))
            elif kind == "journal":
                (self.run.path / "ends" / name).unlink(missing_ok=True)
        for head, blocks in stream_files(session, f"{self.folder}/{kind}", requests) if requests else ():
            path = folder / check_inside(head["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            # Each byte goes to its place, so that two commands that download the same write the same.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as stream:
                stream.seek(head["from"])
                for block in blocks:
                    stream.write(block)
            if kind == "journal":
                (self.run.path / "ends" / head["name"]).unlink(missing_ok=True)

    def fetch_artifacts(self, most: int | None = None) -> str:
        """Download artifacts that are not here yet, each whole."""
        folder = self.run.path / "artifacts"
        with self.ssh.open(), exclusive_lock(self.run.path / ARTIFACTS_LOCK, LOCK_SECONDS):
            listing = self.ssh.session.call("list", path=f"{self.folder}/artifacts")
            size = sum(row[1] for row in missing_rows(listing, folder))
            if most is not None and size > most:
                return (
                    f"{size / 1e6:,.0f} MB of artifacts are still on {self.ssh.site.name};"
                    f" to download them: packhorse get {shlex.quote(self.run.path.name)}"
                )
            download_missing(self.ssh.session, listing, folder)
            _remove_outdated(folder, {row[0] for row in listing["files"]})
            return ""

    # Upload

    def upload_changes(self, announce: Callable[[str], None]) -> None:
        """Upload every file of the run that the site lacks in this size and age, the newest plan last."""
        names = sorted(self._own_files(), key=lambda name: (name.endswith("/plan.json"), name))
        empty = [*FOLDERS, f"waves/{max(self.run.waves(), default=0)}/leases"]

        def check(size: int, files: int) -> None:
            if size > ANNOUNCE_BYTES:
                announce(f"uploading {size / 1e6:,.0f} MB to {self.ssh.site.name}")
            self.check_space(size, files)

        with self.ssh.open():
            self.ssh.session.send("folders", path=self.folder, names=empty)
            self._upload_snapshot_delta()
            upload_missing(
                self.ssh.session,
                self.folder,
                [(name, self.run.path / name) for name in names],
                before=check,
            )

    def _upload_snapshot_delta(self) -> None:
        """Upload the difference of a new snapshot to the one before it; other files are uploaded whole later."""
        tars = sorted(self.run.path.glob("code-*.tar"), key=lambda path: path.stat().st_mtime)
        if len(tars) > 1:
            send_delta(self.ssh.session, self.folder, tars[-2], tars[-1])

    def check_space(self, size: int = 0, files: int = 0) -> None:
        """Count an upload against the free space there; raise RunError where it is known not to fit."""
        check_space(self.ssh.site.name, self.space, self.larger_areas, size, files)
        self.space = self.space.after_upload(size, files)

    def _own_files(self) -> Iterable[str]:
        """Yield the names of files written here; of waves only the newest, since older ones are there."""
        latest = max(self.run.waves(), default=0)
        for folder, folders, files in os.walk(self.run.path):
            relative = Path(folder).relative_to(self.run.path).as_posix()
            if relative.split("/")[0] in NOT_UPLOADED:
                folders.clear()
                continue
            if relative == "waves":
                folders[:] = [name for name in folders if name == str(latest)]
            for name in files:
                full = name if relative == "." else f"{relative}/{name}"
                if full not in NOT_UPLOADED and not name.startswith("."):
                    yield full

    def upload(self, *names: str) -> None:
        """Upload small files now."""
        with self.ssh.open():
            upload_files(self.ssh.session, self.folder, [(name, self.run.path / name, 0) for name in names])

    def delete(self, *names: str) -> None:
        """Delete files there."""
        with self.ssh.open():
            self.ssh.session.call("drop", path=self.folder, names=list(names))

    def claim_wave(self, wave: int) -> bool:
        """Make the folder of a wave there; return False where another command made it first."""
        with self.ssh.open():
            made: bool = self.ssh.session.call("claim", path=f"{self.folder}/waves/{wave}")["made"]
        return made

    def make_log_folder(self) -> None:
        """Make the folder of logs there."""
        with self.ssh.open():
            self.ssh.session.call("folders", path=self.folder, names=["logs"])

    # The directory there as a whole

    def transferred(self) -> dict[str, dict[str, int]]:
        """Return the bytes of the open session, both ways."""
        session = self.ssh.session
        return {"carried": {"bytes": session.sent + session.received}}

    def detach(self) -> str:
        """Download everything, since nothing is downloaded later; what the site has purged is lost."""
        site = self.ssh.site.name
        with self.ssh.open():
            if not self.ssh.session.call("extent", REMOVE_SECONDS, path=self.folder)["files"]:
                return f"{self.folder} does not exist on {site}; the run continues with the files downloaded so far"
            self.fetch_all(None)
        (self.run.path / KNOWN).unlink(missing_ok=True)
        return f"the run is downloaded from {site}; {self.folder} stays there"

    def remote_size(self) -> tuple[int, int]:
        """Return the bytes and files of the directory there."""
        with self.ssh.open():
            reply = self.ssh.session.call("extent", REMOVE_SECONDS, path=self.folder)
        return reply["size"], reply["files"]

    def remove_remote(self) -> bool:
        """Remove the directory there, if it is this run's."""
        with self.ssh.open():
            reply = self.ssh.session.call("remove", REMOVE_SECONDS, path=self.folder, run=self.run.about().id)
        return bool(reply["removed"])

    def discard_wave(self, wave: int) -> None:
        """Remove a wave here and there."""
        self.run.discard_wave(wave)
        names = ("plan.json", "work.json", "submission.json", "leases", "")
        self.delete(*(f"waves/{wave}/{name}".rstrip("/") for name in names))


def _remove_outdated(folder: Path, names: set[str]) -> None:
    """Remove here what an attempt left that a later one has replaced there: the mark of partial files has gone."""
    for mark in folder.glob(f"*{PARTIAL}"):
        task = mark.name.removesuffix(PARTIAL)
        if mark.name not in names and any(name.startswith(f"{task}/") for name in names):
            for path in (folder / task).rglob("*"):
                if path.is_file() and path.relative_to(folder).as_posix() not in names:
                    path.unlink()
            mark.unlink()


def remote_folder(area: str, run: RunDirectory, name: str) -> str:
    """Return the folder of a run below an area of a site: its name, and enough of its id to be unique."""
    mark = run.about().id[:8] if run.exists else "NEW"
    return f"{area.rstrip('/')}/packhorse/runs/{name}-{mark}"
