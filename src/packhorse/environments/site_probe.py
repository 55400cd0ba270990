"""Query a site: its folder for environments, its programs and Pythons with and without modules, and uv."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from packhorse.model.command import Answer
from packhorse.model.errors import RunError
from packhorse.model.site_python import SitePython
from packhorse.project.cache_dir import cache_dir
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.remote.free_space import AreaSpace, area_spaces
from packhorse.remote.transport import SshTransport
from packhorse.runtime.uv import uv_for
from packhorse.ssh.file_transfer import upload_files
from packhorse.ssh.replies import FoundPrograms

LEAST_FREE = 1 << 29  # bytes; a small environment of NumPy and SciPy has 300 MB
FIND_SECONDS = 180.0  # to start every Python of a busy site once
PYTHON_SECONDS = 600.0  # for uv to download a Python


class SiteProbe:
    """One site, as the tasks of a study find it; every query uses the open session."""

    def __init__(self, place: Place, ssh: SshTransport, reporter: Reporter, *, build: bool = True) -> None:
        self.build = build  # whether anything may be written to the site
        self.place, self.ssh, self.reporter = place, ssh, reporter
        self.site, self.session = place.site, ssh.session
        self.modules: tuple[str, ...] = ()  # that jobs load in addition to the study's own
        self.module_output: list[str] = []
        self.programs: dict[str, str] = {}
        self.pythons: tuple[SitePython, ...] = ()
        self._top, self._loaded = "", False
        self._uv: list[str] | None = None

    # The folder of Packhorse

    @property
    def top(self) -> str:
        """The folder for environments, caches and uv; raises RunError where it cannot be written."""
        if not self._top:
            area = self._area()
            reported = self.session.call("hello", programs=[], paths=[area])["paths"]
            (space,) = area_spaces(self.site.name, reported)
            self._check(area, space)
            self._top = f"{space.path}/packhorse"
        return self._top

    def _area(self) -> str:
        """Return the path of the area for environments, else of the one requested, else of one without purge."""
        asked = self.place.asked
        best = self.site.area("environments")
        if best is None and asked.area.startswith(("/", "~", "$")):
            return asked.area
        others = [self.site.area("code"), self.site.area("runs")]
        areas = [best, *(area for area in others if area and not area.purge)]
        path = next((area.path for area in areas if area and area.path and not area.local), "~")
        return path.replace("{account}", asked.account).replace("{project}", asked.account)

    def _check(self, area: str, space: AreaSpace) -> None:
        site = self.site.name
        hint = (
            f"name another area for environments in the site's file; packhorse sites show {site} lists them"
        )
        if not space.path:
            raise RunError(f"{area} on {site}: {space.why}", hint)
        if not space.writable:
            raise RunError(f"no permission to write to {space.path} on {site}", hint)
        if space.free is not None and space.free < LEAST_FREE:
            self.reporter.warn(f"{space.path} on {site} has only {space.free / 1e6:,.0f} MB free")

    # Programs

    def load(self, modules: Sequence[str] = ()) -> None:
        """Load modules and the study's setup in the session: those of the study, and `modules`.

        Raises RunError with the output of the shell where one of them fails.
        """
        asked, lines = self.place.asked, []
        self.modules = tuple(modules)
        if modules or asked.modules or asked.setup:
            site_lines = ["set +e", *self.site.setup, *self.site.modules.setup, "set -e"]
            lines = [*site_lines, *self._loads((*modules, *asked.modules)), *asked.setup]
        if not lines and not self._loaded:
            return
        self._loaded = bool(lines)
        reply = self.session.call("loaded", 90.0, lines=lines)
        self.module_output = reply["said"]
        if reply["status"] != 0:
            output = "".join(f"\n  {line}" for line in reply["said"])
            names = ", ".join((*modules, *asked.modules)) or "the study's setup lines"
            raise RunError(
                f"{self.site.name} does not load {names}:{output}",
                f"packhorse shell {self.site.name}, then: module avail; the study names modules under cluster: modules",
            )

    def _loads(self, modules: Iterable[str]) -> list[str]:
        return [f"{self.site.modules.load} {shlex.quote(name)}" for name in modules]

    def find(self, programs: Iterable[str], more: Iterable[str] = (), *, pythons: bool) -> None:
        """Find the paths of programs, and with `pythons` the interpreters there; `more` are paths of further ones."""
        names = list(dict.fromkeys(programs))
        found = self._find(names, list(more), pythons=pythons)
        self.programs |= found.programs
        if pythons:
            self.pythons = found.pythons

    def _find(self, programs: list[str], more: list[str], *, pythons: bool) -> FoundPrograms:
        reply = self.session.call("find", FIND_SECONDS, programs=programs, pythons=pythons, more=more)
        return msgspec.convert(reply, FoundPrograms)

    def ask(self, argv: Sequence[str], seconds: float = 60.0, env: Mapping[str, str] | None = None) -> Answer:
        """Run a command on the login node, with the loaded modules."""
        request = {"argv": list(argv), "timeout": seconds, "env": dict(env or {})}
        reply = self.session.call("run_loaded", seconds + 60.0, **request)
        return Answer(status=reply["status"], stdout=reply["stdout"], stderr=reply["stderr"])

    # uv

    @property
    def uv_variables(self) -> dict[str, str]:
        """The caches of uv and pip: not in a small home, and on the file system of the environments, for hard links."""
        return {
            "UV_CACHE_DIR": f"{self.top}/cache/uv",
            "UV_PYTHON_INSTALL_DIR": f"{self.top}/pythons",
            "UV_PYTHON_INSTALL_BIN": "0",  # else it puts links into ~/.local/bin
            "PIP_CACHE_DIR": f"{self.top}/cache/pip",
        }

    def uv(self, *, upload: bool = True) -> str:
        """Return the path of uv on the site, or "" where it has none; with `upload` a missing one is uploaded."""
        for path in self._uv_places():
            if re.match(r"uv \d", self.ask([path, "--version"]).stdout):
                return path
        return self._upload_uv() if upload and self.build else ""

    def _uv_places(self) -> list[str]:
        if self._uv is None:
            home = str(self.ssh.hello["home"])
            places = (self.programs.get("uv"), f"{home}/.local/bin/uv", f"{self.top}/bin/uv")
            self._uv = [path for path in places if path]
        return self._uv

    def _upload_uv(self) -> str:
        hello = self.ssh.hello
        path, version = uv_for(hello["system"], hello["machine"], cache_dir(), os.environ)
        size = Path(path).stat().st_size / 1e6
        self.reporter.say(f"{self.site.name} has no uv; uploading uv {version} ({size:,.0f} MB)")
        upload_files(self.session, f"{self.top}/bin", [("uv", Path(path), 0)])
        uploaded = f"{self.top}/bin/uv"
        answer = self.ask([uploaded, "--version"])
        if answer.status != 0:
            raise RunError(
                f"uv does not run on {self.site.name}: {answer.stderr.strip()[-200:]}", "install it there"
            )
        return uploaded

    def python_of_uv(self, version: str) -> SitePython | None:
        """Return a Python that uv has or can download on the site; None where it cannot."""
        uv = self.uv()
        if not uv:
            return None
        argv = [uv, "python", "find", "--no-project", "--system", version]
        answer = self.ask(argv, env=self.uv_variables)
        if answer.status != 0 and self.build:
            self.reporter.say(f"{self.site.name} has no Python {version}; uv downloads it")
            self.ask([uv, "python", "install", version], PYTHON_SECONDS, self.uv_variables)
            answer = self.ask(argv, env=self.uv_variables)
        if answer.status != 0 or not answer.stdout.strip():
            return None
        more = [answer.stdout.strip().splitlines()[-1]]
        pythons = self._find([], more, pythons=True).pythons
        return next((python for python in pythons if python.version.startswith(f"{version}.")), None)
