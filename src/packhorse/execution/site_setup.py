"""Set up a run on a site: where it lives, its free space, and what its tasks find."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from packhorse.environments.remote import RemoteEnvironment, RemoteTaskEnvironment, find_remote_environment
from packhorse.environments.task_environment import TaskEnvironment
from packhorse.execution.target import ExecutionTarget, LocalTarget
from packhorse.model.site import Site, Storage
from packhorse.model.study import Study
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.remote.free_space import UNKNOWN_SPACE, AreaSpace, apply_quotas
from packhorse.remote.open_store import open_store
from packhorse.remote.remote_store import RemoteRunStore, remote_folder
from packhorse.remote.run_store import LocalRunStore, RunStore
from packhorse.remote.storage_area import candidate_areas, choose_area, purge_note
from packhorse.remote.transfer import upload_path
from packhorse.remote.transport import LocalTransport, SshTransport
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.submissions import Submissions
from packhorse.schedulers import scheduler
from packhorse.sites import quotas

RUNNERS = ("python3", "python", "Rscript", "bash", "julia", "perl", "uv")


class SiteSetup(Struct, frozen=True, kw_only=True):
    """Where a run lives on its site, the place with the modules that its tasks need, and what executes them."""

    store: RunStore
    place: Place
    target: ExecutionTarget
    environment: tuple[str, ...] = ()  # sentences about the tasks' environment, for `plan`

    def upload_data(self, source: Source, data: Mapping[str, Mapping[str, Any]], reporter: Reporter) -> None:
        """Upload the study's data that the site lacks, and the run's files."""
        self.target.upload_data(source, data, reporter)
        self.store.upload_changes(reporter.say)


class SharedTarget(LocalTarget):
    """Nodes of a site that share this file system."""

    def __init__(self) -> None:
        super().__init__(attached=False)


class SshTarget:
    """The nodes of a site reached over ssh; `area` is the storage area of data, as a path there."""

    attached = False
    checks_note = "the study's checks run on this machine, with its environment"

    def __init__(self, store: RemoteRunStore, remote_environment: RemoteEnvironment, area: str) -> None:
        self.store, self.remote_environment, self.area = store, remote_environment, area

    def environment(self, source: Source) -> TaskEnvironment:
        """Return the environment of the site."""
        return RemoteTaskEnvironment(source, self.remote_environment)

    def data_paths(self, source: Source, data: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:  # noqa: ARG002
        """Return the paths of data there: by digest, so that all runs share one upload."""
        return {
            name: f"{self.area}/packhorse/data/{facts['sha256'][:16]}/{_last_part(name)}"
            for name, facts in data.items()
        }

    def upload_data(self, source: Source, data: Mapping[str, Mapping[str, Any]], reporter: Reporter) -> None:
        """Upload the data that the site lacks, each file whole and checked."""
        for name, path in self.data_paths(source, data).items():
            upload_path(self.store.ssh, source.folder / name, path, reporter, check=self.store.check_space)

    def claim_wave(self, wave: int) -> bool:
        """Claim a wave there."""
        return self.store.claim_wave(wave)


def set_up_site(
    source: Source,
    place: Place,
    run: RunDirectory,
    transport: LocalTransport | SshTransport,
    reporter: Reporter,
    *,
    build: bool = True,
) -> SiteSetup:
    """Find out where a run lives on a site and what its tasks find there; `build` their environment where asked.

    Raises RunError where no storage area of the site can hold the run.
    """
    if isinstance(transport, SshTransport):
        return _set_up_over_ssh(source, place, run, transport, reporter, build=build)
    return SiteSetup(store=LocalRunStore(run, transport), place=place, target=SharedTarget())


def _set_up_over_ssh(
    source: Source,
    place: Place,
    run: RunDirectory,
    ssh: SshTransport,
    reporter: Reporter,
    *,
    build: bool,
) -> SiteSetup:
    areas = candidate_areas(place.site, place.asked.area)
    hello = ssh.locate(required_programs(source.study, place.site), [area.path for area in areas])
    spaces = apply_quotas(ssh, hello["paths"])
    before = Submissions(run).cluster()
    if before is not None and before.folder and before.site.name == place.site.name:
        area = before.folder.partition("/packhorse/runs/")[0]
        known = next((space for space in spaces if space.path == area), UNKNOWN_SPACE)
        store = RemoteRunStore(run, ssh, before.folder, space=known)
        store.refresh()
    else:
        chosen, space = choose_area(place.site, areas, spaces)
        area = space.path
        folder, larger = remote_folder(area, run, source.study.name), _larger_areas(areas, spaces, chosen)
        store = RemoteRunStore(run, ssh, folder, space=space, larger_areas=larger)
        store.check_space()
        reporter.say(f"run directory: {store.folder} on {place.site.name}{purge_note(chosen)}")
    found = find_remote_environment(source, place, ssh, reporter, build=build)
    more = tuple(name for name in found.modules if name not in place.asked.modules)
    asked = replace(place.asked, modules=(*place.asked.modules, *more))
    return SiteSetup(
        store=store,
        place=replace(place, asked=asked),
        target=SshTarget(store, found, area),
        environment=found.description,
    )


def unreached_site(
    source: Source, place: Place, run: RunDirectory, transport: LocalTransport | SshTransport
) -> SiteSetup:
    """Return the setup of a site without a login: this machine's environment, and paths as the site file has them."""
    if isinstance(transport, LocalTransport) or (run.path / "cluster.json").exists():
        return SiteSetup(store=open_store(run, transport), place=place, target=SharedTarget())
    area = candidate_areas(place.site, place.asked.area)[0].path
    store = RemoteRunStore(run, transport, remote_folder(area, run, source.study.name), "python3")
    return SiteSetup(store=store, place=place, target=SharedTarget())


def required_programs(study: Study, site: Site) -> list[str]:
    """Return the programs to look for: the scheduler's, those that run scripts, and the study's own."""
    programs = [*scheduler(site.scheduler).programs, *RUNNERS, *quotas.PROGRAMS]
    first = study.command[0] if study.command and not study.shell else ""
    if first and "/" not in first and "{" not in first:
        programs.append(first)
    return list(dict.fromkeys(programs))


def _larger_areas(areas: list[Storage], spaces: list[AreaSpace], chosen: Storage) -> str:
    """Return options for the other areas that have more free bytes or files than the chosen one."""
    known = {area.name: space for area, space in zip(areas, spaces, strict=True) if space.path}
    current = known[chosen.name]
    larger = [
        name
        for name, space in known.items()
        if name != chosen.name
        and ((space.free or 0) > (current.free or 0) or space.holds_more_files(current))
    ]
    return " or ".join(f"--area {name}" for name in larger)


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2] or "data"
