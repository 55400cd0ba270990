"""A run on a site that is reached over ssh: its directory lives there, and the one here is a mirror of it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from packhorse.model.command import Command
from packhorse.model.errors import RunError
from packhorse.remote.free_space import check_room
from packhorse.remote.run_store import ANNOUNCE_BYTES, RunStore
from packhorse.remote.transport import SshTransport
from packhorse.rundir.directory import FOLDERS, RunDirectory
from packhorse.rundir.files import write_file
from packhorse.rundir.lock import exclusive_lock

REMOVE_SECONDS = 600.0  # for a slow file system to remove many files
# Held while something is brought, as other commands on the same run may bring at the same time.
LOCK, ARTIFACTS_LOCK = "far.lock", "artifacts.lock"
ALONE_SECONDS = 60.0
# What only the site writes, or what stands only here.
NOT_SENT = (
    "journal",
    "logs",
    "artifacts",
    "checkpoints",
    "ends",
    "work",
    "lock",
    "far.json",
    LOCK,
    ARTIFACTS_LOCK,
    "results.parquet",
    "results.csv",
    "failures.csv",
)
GROWING = ("journal", "logs")  # folders whose files only grow
PROVENANCE_FILES = re.compile(
    r"stopped\.json|cancelled|waves/\d+/(plan\.json|work\.json|submission\.json|owner)"
)
JOURNAL = re.compile(r"journal/[^/\0]+\.ndjson")


class RemoteRunStore(RunStore):
    """A run on a site's file system, in `folder` there."""

    far = True

    def __init__(self, run: RunDirectory, there: SshTransport, folder: str, python: str = "") -> None:
        super().__init__(run, there)
        self.there, self.folder, self._python = there, folder, python
        self.room: dict[str, Any] = {}  # of the area, as the porter told: path, free bytes
        self.others = ""  # areas that have room, as options of the command line

    @property
    def path(self) -> str:
        """The run directory there."""
        return self.folder

    @property
    def python(self) -> str:
        """The interpreter that answers us there; its compute nodes have it, too."""
        return self._python or str(self.there.hello["python"])

    # From there

    def look(self, *commands: Command) -> None:
        """Bring small files and the ends of journals, as far as they changed since the last look."""
        with self.there.open(), exclusive_lock(self.run.path / LOCK, ALONE_SECONDS):
            marks = self._marks()
            number = self.there.session.send("look", path=self.folder, known=marks)
            for command in commands:
                self.there.ahead(command)
            self._take(marks, self.there.session.result(number))

    def _take(self, marks: dict[str, list[int]], said: dict[str, Any]) -> None:
        """Keep what a look told."""
        if not said["there"]:
            raise RunError(
                f"{self.folder} is gone from {self.there.site.name}",
                f"purged or removed; what had come stands in {self.run.path}: packhorse collect {self.run.path}",
            )
        names = set(said["names"])
        for name in ("stopped.json", "cancelled"):
            if name not in names:
                (self.run.path / name).unlink(missing_ok=True)
        told = [(name, text) for name, text in said["files"].items() if PROVENANCE_FILES.fullmatch(name)]
        ends = [(name, text) for name, text in said["ends"].items() if JOURNAL.fullmatch(name)]
        for name, text in (*told, *((f"ends/{name.partition('/')[2]}", text) for name, text in ends)):
            self._keep(name, text)  # nothing else here is the site's to say
        kept = {name: mark for name, mark in {**marks, **said["marks"]}.items() if name in names}
        if kept != marks:
            write_file(self.run.path / "far.json", msgspec.json.encode({"known": kept}))

    def _keep(self, name: str, text: str) -> None:
        path = self.run.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode("utf-8", "surrogateescape")
        if name.startswith("waves/") and name.endswith("/plan.json"):
            (path.parent / "leases").mkdir(exist_ok=True)
        write_file(path, data)

    def _marks(self) -> dict[str, list[int]]:
        """Return what was told before; a mark whose file is gone here says nothing."""
        try:
            said = msgspec.json.decode((self.run.path / "far.json").read_bytes())
            known: dict[str, list[int]] = said["known"]
        except (FileNotFoundError, msgspec.MsgspecError, KeyError):
            return {}
        return {name: mark for name, mark in known.items() if self._has(name)}

    def _has(self, name: str) -> bool:
        kind, _, rest = name.partition("/")
        if kind != "journal":
            return (self.run.path / name).exists()
        return (self.run.path / name).exists() or (self.run.path / "ends" / rest).exists()

    def bring(self) -> None:
        """Bring the new bytes of journals, packs and logs; what was cut off before goes on where it was cut."""
        with self.there.open(), exclusive_lock(self.run.path / LOCK, ALONE_SECONDS):
            for kind in GROWING:
                self._grow(kind)

    def _grow(self, kind: str) -> None:
        from packhorse.ssh.file_transfer import check_inside, stream_files

        session = self.there.session
        here = self.run.path / kind
        here.mkdir(exist_ok=True)
        wanted = []
        for name, size, *_ in session.call("list", path=f"{self.folder}/{kind}")["files"]:
            have = _size(here / check_inside(name))
            if size > have:
                wanted.append((name, have))
            elif kind == "journal":
                (self.run.path / "ends" / name).unlink(missing_ok=True)
        for head, blocks in stream_files(session, f"{self.folder}/{kind}", wanted) if wanted else ():
            path = here / check_inside(head["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            # Each byte at its place, so that two commands that bring the same write the same.
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600), "wb") as stream:
                stream.seek(head["from"])
                for block in blocks:
                    stream.write(block)
            if kind == "journal":
                (self.run.path / "ends" / head["name"]).unlink(missing_ok=True)

    def artifacts(self, most: int | None = None) -> str:
        """Bring artifacts that are not here yet, each whole."""
        from packhorse.ssh.file_transfer import download_missing, missing_rows

        here = self.run.path / "artifacts"
        with self.there.open(), exclusive_lock(self.run.path / ARTIFACTS_LOCK, ALONE_SECONDS):
            listed = self.there.session.call("list", path=f"{self.folder}/artifacts")
            size = sum(row[1] for row in missing_rows(listed, here))
            if most is not None and size > most:
                site = self.there.site.name
                return f"{size / 1e6:,.0f} MB of artifacts stay on {site}: packhorse get {self.run.path.name} brings them"
            download_missing(self.there.session, listed, here)
            return ""

    # To there

    def send(self, told: Callable[[str], None]) -> None:
        """Send every file of the run that is not there in the same size and age, the newest wave's plan at last."""
        from packhorse.ssh.file_transfer import upload_missing

        names = sorted(self._ours(), key=lambda name: (name.endswith("/plan.json"), name))
        empty = [*FOLDERS, f"waves/{max(self.run.waves(), default=0)}/leases"]
        with self.there.open():
            self.there.session.send("folders", path=self.folder, names=empty)
            self._send_delta()
            upload_missing(
                self.there.session,
                self.folder,
                [(name, self.run.path / name) for name in names],
                before=lambda size, files: self._announce(size, files, told),
            )

    def _send_delta(self) -> None:
        """Send of a new snapshot what the one before it had not; what cannot be made so is sent whole afterwards."""
        from packhorse.ssh.delta import send_delta

        tars = sorted(self.run.path.glob("code-*.tar"), key=lambda path: path.stat().st_mtime)
        if len(tars) > 1:
            send_delta(self.there.session, self.folder, tars[-2], tars[-1])

    def _announce(self, size: int, files: int, told: Callable[[str], None]) -> None:
        if size > ANNOUNCE_BYTES:
            told(f"sending {size / 1e6:,.0f} MB to {self.there.site.name}")
        self.check_room(size, files)

    def check_room(self, size: int = 0, files: int = 0) -> None:
        """Count on so much more; raise RunError where it has no room there, as far as that is known."""
        check_room(self.there.site.name, self.room, self.others, size, files)
        for what, less in (("free", size), ("files", files)):
            if self.room.get(what) is not None:
                self.room[what] -= less

    def _ours(self) -> Iterable[str]:
        """Yield the names of what we write; of waves only the newest, since others have their folders there."""
        latest = max(self.run.waves(), default=0)
        for folder, folders, files in os.walk(self.run.path):
            inside = Path(folder).relative_to(self.run.path).as_posix()
            top = inside.split("/")[0]
            if top in NOT_SENT:
                folders.clear()
                continue
            if inside == "waves":
                folders[:] = [one for one in folders if one == str(latest)]
            for name in files:
                full = name if inside == "." else f"{inside}/{name}"
                if full not in NOT_SENT and not name.startswith("."):
                    yield full

    def put(self, *names: str) -> None:
        """Send small files now."""
        from packhorse.ssh.file_transfer import upload_files

        with self.there.open():
            upload_files(self.there.session, self.folder, [(name, self.run.path / name, 0) for name in names])

    def drop(self, *names: str) -> None:
        """Remove files there."""
        with self.there.open():
            self.there.session.call("drop", path=self.folder, names=list(names))

    def claim(self, wave: int) -> bool:
        """Make a wave's folder there."""
        with self.there.open():
            made: bool = self.there.session.call("claim", path=f"{self.folder}/waves/{wave}")["made"]
        return made

    def carried(self) -> dict[str, int]:
        """Return the bytes that travelled in the session that is open, both ways."""
        session = self.there.session
        return {"bytes": session.sent + session.received}

    def keeps_login(self) -> bool:
        """Tell whether `packhorse connect --keep` was said."""
        return self.there.login.kept.exists()

    def leave(self) -> str:
        """Bring all, as nothing is brought later; what the site has purged is gone."""
        site = self.there.site.name
        with self.there.open():
            if not self.there.session.call("extent", REMOVE_SECONDS, path=self.folder)["files"]:
                return f"{self.folder} is gone from {site}; the run goes on with what had come from there"
            self.bring_all(None)
        (self.run.path / "far.json").unlink(missing_ok=True)
        return f"what this run has brought forth on {site} has come; {self.folder} stays there"

    def extent(self) -> tuple[int, int]:
        """Return the bytes and files of the directory there."""
        with self.there.open():
            said = self.there.session.call("extent", REMOVE_SECONDS, path=self.folder)
        return said["size"], said["files"]

    def remove(self) -> bool:
        """Remove the directory there."""
        with self.there.open():
            said = self.there.session.call(
                "remove", REMOVE_SECONDS, path=self.folder, run=self.run.about().id
            )
        return bool(said["removed"])

    def make_logs(self) -> None:
        """Make the folder of logs there."""
        with self.there.open():
            self.there.session.call("folders", path=self.folder, names=["logs"])

    def forget_wave(self, wave: int) -> None:
        """Remove a wave here and there."""
        super().forget_wave(wave)
        names = ("plan.json", "work.json", "submission.json", "leases", "")
        self.drop(*(f"waves/{wave}/{name}".rstrip("/") for name in names))


def remote_folder(area: str, run: RunDirectory, name: str) -> str:
    """Return where a run lives below an area of a site: its name, and enough of its id to tell it from others."""
    mark = run.about().id[:8] if run.exists else "NEW"
    return f"{area.rstrip('/')}/packhorse/runs/{name}-{mark}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
