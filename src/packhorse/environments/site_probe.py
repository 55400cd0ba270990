"""What is on a site: the folder for environments, programs and Pythons, also those that modules bring, and uv."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from packhorse.model.command import Answer
from packhorse.model.errors import RunError
from packhorse.project.cache_dir import cache_dir
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.remote.transport import SshTransport

LEAST_FREE = 1 << 29  # bytes; a small environment of NumPy and SciPy has 300 MB
PYTHON_SECONDS = 600.0  # for uv to fetch a Python


class SiteProbe:
    """One site, as a study's tasks find it."""

    def __init__(self, place: Place, there: SshTransport, reporter: Reporter, *, build: bool = True) -> None:
        self.build = build  # whether anything may be made there
        self.place, self.there, self.reporter = place, there, reporter
        self.site, self.session = place.site, there.session
        self.modules: tuple[str, ...] = ()  # that jobs load beside those that the study names
        self.said_by_modules: list[str] = []
        self.programs: dict[str, str] = {}
        self.pythons: list[dict[str, Any]] = []
        self._top, self._loaded = "", False
        self._uv: list[str] | None = None

    # Where things are kept

    @property
    def top(self) -> str:
        """The folder of Packhorse's own on the site; raise RunError where nothing can be written there."""
        if not self._top:
            named = self._area()
            about = self.session.call("hello", programs=[], paths=[named])["paths"][0]
            self._check(named, about)
            self._top = f"{about['path']}/packhorse"
        return self._top

    def _area(self) -> str:
        """Return the area for environments, else the one asked for, else one for code or runs that nobody purges."""
        asked = self.place.asked
        right = self.site.area("environments")
        if right is None and asked.area.startswith(("/", "~", "$")):
            return asked.area
        others = [self.site.area("code"), self.site.area("runs")]
        found = [
            one for one in (right, *(one for one in others if one and not one.purge)) if one and not one.local
        ]
        path = next((one.path for one in found if one.path), "~")
        return path.replace("{account}", asked.account).replace("{project}", asked.account)

    def _check(self, named: str, about: dict[str, Any]) -> None:
        hint = f"name another area for environments in the site's file; packhorse sites show {self.site.name} lists them"
        if not about["path"]:
            raise RunError(f"{named} on {self.site.name}: {about['why']}", hint)
        if not about["writable"]:
            raise RunError(f"nothing can be written to {about['path']} on {self.site.name}", hint)
        if about["free"] < LEAST_FREE:
            self.reporter.warn(
                f"{about['path']} on {self.site.name} has only {about['free'] / 1e6:,.0f} MB left"
            )

    # Programs

    def load(self, modules: Sequence[str] = ()) -> None:
        """Look at the site as its jobs will: with the modules of the study, and with `modules`."""
        asked, lines = self.place.asked, []
        self.modules = tuple(modules)
        if modules or asked.modules or asked.setup:
            own = ["set +e", *self.site.setup, *self.site.modules.setup, "set -e"]
            lines = [*own, *self._loads((*modules, *asked.modules)), *asked.setup]
        if not lines and not self._loaded:
            return
        self._loaded = bool(lines)
        found = self.session.call("loaded", 90.0, lines=lines)
        self.said_by_modules = found["said"]
        if found["status"] != 0:
            said = "".join(f"\n  {line}" for line in found["said"])
            named = ", ".join((*modules, *asked.modules)) or "the study's setup lines"
            raise RunError(
                f"{self.site.name} does not load {named}:{said}",
                f"packhorse shell {self.site.name}, then: module avail; the study names them under cluster: modules",
            )

    def _loads(self, modules: Iterable[str]) -> list[str]:
        return [f"{self.site.modules.load} {shlex.quote(name)}" for name in modules]

    def find(self, programs: Iterable[str], more: Iterable[str] = (), *, pythons: bool) -> None:
        """Learn where programs are, and which Pythons there are."""
        names = list(dict.fromkeys(programs))
        found = self.session.call("find", 180.0, programs=names, pythons=pythons, more=list(more))
        self.programs |= found["programs"]
        if pythons:
            self.pythons = found["pythons"]

    def ask(self, argv: Sequence[str], seconds: float = 60.0, env: Mapping[str, str] | None = None) -> Answer:
        """Run a command there, among the modules that were loaded."""
        words = {"argv": list(argv), "timeout": seconds, "env": dict(env or {})}
        said = self.session.call("run_loaded", seconds + 60.0, **words)
        return Answer(status=said["status"], stdout=said["stdout"], stderr=said["stderr"])

    # uv

    @property
    def uv_variables(self) -> dict[str, str]:
        """Keep what uv and pip fetch out of a small home, and beside the environments, so that files can be linked."""
        return {
            "UV_CACHE_DIR": f"{self.top}/cache/uv",
            "UV_PYTHON_INSTALL_DIR": f"{self.top}/pythons",
            "UV_PYTHON_INSTALL_BIN": "0",  # else it puts links into ~/.local/bin
            "PIP_CACHE_DIR": f"{self.top}/cache/pip",
        }

    def uv(self, *, bring: bool = True) -> str:
        """Return uv there, "" where there is none; with `bring` it is sent where it is missing."""
        for path in self._uv_places():
            if re.match(r"uv \d", self.ask([path, "--version"]).stdout):
                return path
        return self._bring() if bring and self.build else ""

    def _uv_places(self) -> list[str]:
        if self._uv is None:
            home = str(self.there.hello["home"])
            self._uv = [
                path
                for path in (self.programs.get("uv"), f"{home}/.local/bin/uv", f"{self.top}/bin/uv")
                if path
            ]
        return self._uv

    def _bring(self) -> str:
        from packhorse.runtime.uv import uv_for
        from packhorse.ssh.file_transfer import upload_files

        hello = self.there.hello
        path, version = uv_for(hello["system"], hello["machine"], cache_dir(), os.environ)
        size = Path(path).stat().st_size / 1e6
        self.reporter.say(f"{self.site.name} has no uv: uv {version} is sent there ({size:,.0f} MB)")
        upload_files(self.session, f"{self.top}/bin", [("uv", Path(path), 0)])
        place = f"{self.top}/bin/uv"
        said = self.ask([place, "--version"])
        if said.status != 0:
            raise RunError(
                f"uv does not run on {self.site.name}: {said.stderr.strip()[-200:]}", "install it there"
            )
        return place

    def python_of_uv(self, version: str) -> dict[str, Any] | None:
        """Return a Python that uv has or can fetch there, None where it cannot."""
        uv = self.uv()
        if not uv:
            return None
        words = [uv, "python", "find", "--no-project", "--system", version]
        found = self.ask(words, env=self.uv_variables)
        if found.status != 0 and self.build:
            self.reporter.say(f"{self.site.name} has no Python {version}: uv fetches it")
            self.ask([uv, "python", "install", version], PYTHON_SECONDS, self.uv_variables)
            found = self.ask(words, env=self.uv_variables)
        if found.status != 0 or not found.stdout.strip():
            return None
        more = [found.stdout.strip().splitlines()[-1]]
        rows = self.session.call("find", 180.0, programs=[], pythons=True, more=more)["pythons"]
        return next((one for one in rows if one["version"].startswith(f"{version}.")), None)
