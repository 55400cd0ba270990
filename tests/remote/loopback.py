"""A test site without ssh: the process of each session is a shell on this machine.

Only the connection is a test double: the remote agent, the shell, the programs and the files are real. The site has its
own environment variables, so that nothing of the test reaches it except through the session.
"""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

from packhorse.model.site import Site, Storage
from packhorse.model.study import Cluster
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source, from_file
from packhorse.remote.transport import SshTransport
from packhorse.ssh.login import Login


class Loop(Login, frozen=True, kw_only=True):
    """A login whose sessions are shells on this machine."""

    variables: dict[str, str]

    def session_argv(self, *_: str) -> list[str]:
        words = [f"{name}={value}" for name, value in self.variables.items()]
        return ["env", "-i", *words, "sh", "-c"]

    def alive(self) -> bool:
        return True


class Heard(Reporter):
    """Reporter that collects its messages."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


class Loopback:
    """A site whose PATH is the folder `bin` in `folder`, to which `program` adds programs."""

    def __init__(self, folder: Path, **facts: Any) -> None:
        self.folder, self.area = folder, folder / "area"
        self.bin = folder / "bin"
        for place in (self.area, self.bin, folder / "home"):
            place.mkdir(parents=True)
        for name in (
            "sh",
            "bash",
            "env",
            "cat",
            "ls",
            "uname",
            "test",
            "mkdir",
            "rm",
            "sleep",
            "dirname",
            "sed",
        ):
            self.program(name)
        self.variables = {"PATH": str(self.bin), "HOME": str(folder / "home"), "LANG": "C.UTF-8"}
        area = Storage(name="fast", path=str(self.area), purpose=("environments",))
        self.site = Site(name="loop", login="loop", storage=(area,), **facts)
        self.heard = Heard()

    def program(self, name: str, target: str = "") -> None:
        """Add a program of this machine to the site, by default the one of the same name."""
        found = target or shutil.which(name)
        assert found, name
        (self.bin / name).symlink_to(found)

    def script(self, name: str, text: str) -> Path:
        """Add a shell script as a program to the site."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def there(self) -> SshTransport:
        """Return a transport to the site."""
        there = SshTransport(self.site, "loop")
        there.login = Loop(
            site="loop", destination="loop", socket=self.folder / "none", variables=self.variables
        )
        return there

    def place(self, *, anyway: bool = False, **asked: Any) -> Place:
        """Return the placement of a study's jobs on the site."""
        return Place(site=self.site, asked=Cluster(**asked), anyway=anyway)

    @property
    def environments(self) -> list[Path]:
        """The complete environments on the site."""
        return sorted(
            path.parent for path in self.area.glob("packhorse/environments/*/packhorse-environment.json")
        )


def study(folder: Path, files: dict[str, str], text: str = "command: python sim.py\n") -> Source:
    """Write a study and its files; return its source."""
    for name, content in {**files, "study.yaml": text}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return from_file(folder / "study.yaml")


def wheel(
    folder: Path,
    name: str,
    version: str,
    needs: tuple[str, ...] = (),
    *,
    script: str = "",
    tag: str = "py3-none-any",
) -> Path:
    """Create a wheel of one module that contains its version; `script` is the name of a command in it."""
    about = f"{name}-{version}.dist-info"
    lines = [f"Requires-Dist: {one}\n" for one in needs]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n\ndef main():\n    print({name!r}, VERSION)\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{''.join(lines)}",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{about}/top_level.txt": f"{name}\n",
    }
    if script:
        files[f"{about}/entry_points.txt"] = f"[console_scripts]\n{script} = {name}:main\n"
    files[f"{about}/RECORD"] = "".join(f"{one},,\n" for one in [*files, f"{about}/RECORD"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return path


def unpacked(venv: Path, *wheels: Path) -> None:
    """Install wheels into a virtual environment by unpacking them."""
    (place,) = venv.glob("lib/python3*/site-packages")
    for path in wheels:
        with zipfile.ZipFile(path) as archive:
            archive.extractall(place)
