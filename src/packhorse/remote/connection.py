"""The user's login to a site: opening it in their terminal, saying how it stands, and what a refusal means there."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import RunError, UsageError
from packhorse.model.site import Site
from packhorse.project.cache_dir import cache_dir
from packhorse.project.sites import find_file, find_site
from packhorse.runtime.site_files import user_folder
from packhorse.ssh.control_master import (
    MasterStatus,
    SshSettings,
    check_master,
    close_master,
    connect_lock,
    is_configured,
    known_host_keys,
    open_master,
    read_settings,
)
from packhorse.ssh.failures import login_failure, offered_key
from packhorse.ssh.login import Login, login_to
from packhorse.text.amounts import span

# Of a connection that nobody uses, where the site has no rule: a working day.
IDLE = 8 * 3600


class Connection(Struct, frozen=True, kw_only=True):
    """How a login to a site stands. `idle`: the seconds without use after which it closes itself."""

    site: Site
    login: Login
    look: MasterStatus
    idle: int


def connect(said: str, folder: Path, tell: Callable[[str], None]) -> tuple[Connection, bool]:
    """Open the connection to a site, unless it is open; return it, and whether it was.

    Raises RunError with what a refusal means there, and what to do.
    """
    site, login = site_login(said, folder)
    with connect_lock(login):
        before = check_master(login)
        if before.state in ("open", "busy", "mute"):
            return _usable(_connection(site, login, before)), True
        if before.state == "silent":
            tell(f"the connection to {site.name} does not answer, so it is closed and opened anew")
            close_master(login)
        _check_terminal(site)
        facts = read_settings(login)
        if not known_host_keys(facts) and not facts.strict:
            tell(_unknown_key(site, facts))
        tell(f"logging in to {facts.host} as {facts.user}")
        login.socket.unlink(missing_ok=True)  # of a master that hangs; ssh would leave it, and share nothing
        wrong = open_master(login, facts, site.idle or IDLE)
        if wrong:
            name = _login_line(said, site, f"NAME@{facts.host}", folder)
            raise _refusal(site, facts, wrong, name)
    return _usable(_connection(site, login, check_master(login))), False


def check(said: str, folder: Path) -> Connection:
    """Return how the connection to a site stands, by asking the login node over it."""
    site, login = site_login(said, folder)
    return _connection(site, login, check_master(login))


def keep_in_use(said: str, folder: Path, *, keep: bool) -> None:
    """Say whether commands that watch may go on asking when the site would have closed a login that nobody uses."""
    _, login = site_login(said, folder)
    if keep:
        login.keep_file.touch(mode=0o600)
    else:
        login.keep_file.unlink(missing_ok=True)


def disconnect(said: str, folder: Path) -> tuple[Site, bool]:
    """Close the connection to a site; return whether there was one."""
    site, login = site_login(said, folder)
    return site, close_master(login)


def site_login(said: str, folder: Path) -> tuple[Site, Login]:
    """Return a site and where one logs in; raise UsageError or RunError where that is not said, or not to be done."""
    site = site_or_host(said, folder)
    if site.scheduler == "local":
        raise UsageError(f"{site.name} is where you are: there is nothing to log in to")
    if not site.login:
        host = next((host for host in site.hosts if "." in host and not set("*?") & set(host)), "HOST")
        message = f"nobody has said where one logs in to {site.name}"
        raise UsageError(message, _login_line(said, site, f"YOU@{host}", folder))
    if site.has_login(platform.node()):
        raise UsageError(
            f"this machine is a login node of {site.name}, so no connection is needed",
            f"packhorse run study.yaml --site {site.name}",
        )
    return site, login_to(site.name, site.login, cache_dir())


def site_or_host(said: str, folder: Path) -> Site:
    """Return a site by its name; raise UsageError that tells what to write for a host that nobody has described."""
    try:
        return find_site(said, folder)
    except UsageError as error:
        if _is_host(said):
            place = user_folder() or Path("packhorse-sites")
            hint = (
                f"make it one: {place / 'NAME.yaml'} with these lines, then packhorse connect NAME\n"
                f"  scheduler: slurm\n  login: {said}"
            )
            raise UsageError(f"{said} is a host of ssh and no site of Packhorse", hint) from error
        raise


def _is_host(said: str) -> bool:
    """Tell whether a word means a host to ssh: by an address's form, or by the user's settings for it."""
    if "@" in said or "." in said:
        return "/" not in said
    if not said.replace("-", "").replace("_", "").isalnum():
        return False
    try:
        return is_configured(login_to(said, said, cache_dir()))
    except RunError:
        return False


def _login_line(said: str, site: Site, login: str, folder: Path) -> str:
    """Return which line is to be written to which file."""
    file = find_file(said, folder)
    if file.origin != "shipped":
        return f"write this line to {file.path}:\n  login: {login}"
    place = (user_folder() or folder / "packhorse-sites") / f"{site.name}.yaml"
    return f"write {place} with these lines:\n  extends: {site.name}\n  login: {login}"


def _check_terminal(site: Site) -> None:
    """Refuse where ssh could ask nobody; a program that asks in its place is the user's own (ssh(1), SSH_ASKPASS)."""
    if os.environ.get("SSH_ASKPASS_REQUIRE") in ("force", "prefer"):
        return
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        raise RunError(
            f"there is no terminal in which {site.name} could ask you for a password or a code",
            f"type it in a terminal: packhorse connect {site.name}",
        ) from None


def _connection(site: Site, login: Login, found: MasterStatus) -> Connection:
    return Connection(site=site, login=login, look=found, idle=site.idle or IDLE)


def _unknown_key(site: Site, facts: SshSettings) -> str:
    page = f"compare it with the one that {site.name} publishes ({_page(site)})"
    return f"this machine has not seen {facts.host} before: ssh shows its fingerprint and asks. Before you type yes, {page}"


def _page(site: Site) -> str:
    return site.documentation[0] if site.documentation else site.access.help or "ask its help desk"


def connection_error(connection: Connection) -> RunError | None:
    """Return why nothing can ride on a connection, None where it can, if only in a while."""
    name = connection.site.name
    return {
        "closed": RunError(f"not connected to {name}", f"packhorse connect {name}"),
        "silent": RunError(
            f"{name} does not answer on the connection: the network may be gone",
            f"wait for the network, or begin anew: packhorse connect {name}",
        ),
        "mute": RunError(
            f"{name} let you in, but does not run a command",
            "a startup file there, such as .bashrc, may end every shell that has no terminal (exit)",
        ),
    }.get(connection.look.state)


def _usable(connection: Connection) -> Connection:
    found = connection_error(connection)
    if found is not None:
        raise found
    return connection


def _refusal(site: Site, facts: SshSettings, said: str, name: str) -> RunError:
    """Return why one was not let in, with what the site says of that; `name` tells how to log in by another name."""
    kind = login_failure(said)
    again = f"packhorse connect {site.name}"
    if kind == "denied":
        return RunError(f"{site.name} did not let {facts.user} in", "\n".join(_denied(site, facts, name)))
    if kind == "changed":
        return _changed_key(site, facts, said)
    texts = {
        "unknown": (
            f"the key of {facts.host} is not known here and was not accepted, so you were not logged in",
            _to_trust(site, facts, again),
        ),
        "name": (
            f"no machine is called {facts.host}",
            f"look at `login` of the site (packhorse sites show {site.name}), and at your network or VPN",
        ),
        "away": (
            f"{facts.host} does not answer",
            "\n".join([*_news(site), f"is the network there, and the VPN where {site.name} wants one? then {again}"]),
        ),
        "closed": (
            f"{facts.host} closed the connection before it asked for anything",
            "\n".join([*_news(site), f"it may be busy, or have locked you out for a while; try later: {again}"]),
        ),
        "settings": ("ssh refuses its settings; its words stand above", f"correct them, then {again}"),
    }  # fmt: skip
    message, hint = texts.get(kind, (f"ssh could not log in to {site.name}; its words stand above", again))
    return RunError(message, hint)


def _to_trust(site: Site, facts: SshSettings, again: str) -> str:
    if facts.strict and facts.files:
        return f"your settings take no unknown key: put the site's ({_page(site)}) into {facts.files[0]}"
    return f"compare its fingerprint ({_page(site)}), then {again} and answer yes"


def _denied(site: Site, facts: SshSettings, name: str) -> list[str]:
    """Return what "permission denied" can mean at a site, the likely things first."""
    access = site.access
    lines = [
        f"a password or code mistyped, or a push that was not approved in time: packhorse connect {site.name}",
        f"another name there? you tried as {facts.user}; to try another, {name}",
    ]
    if access.denied:
        lines.append(f"a new account: {access.denied}")
    if access.delay:
        lines.append(f"until an account can be used: {access.delay}")
    lines += [f"keys: {access.keys}"] if access.keys else []
    lines += [f"no account yet: {'; '.join(access.steps)}"] if access.steps else []
    lines += [f"help: {access.help}"] if access.help else []
    lines += [f"but not: {access.help_not}"] if access.help_not else []
    lines += [f"its pages: {', '.join(site.documentation)}"] if site.documentation else []
    return lines


def _news(site: Site) -> list[str]:
    return [f"maintenance of {site.name}: {site.maintenance}"] if site.maintenance else []


def _changed_key(site: Site, facts: SshSettings, said: str) -> RunError:
    known = known_host_keys(facts)
    lines = [f"known here: {key} ({file})" for file, key in known]
    sent = offered_key(said)
    lines += [f"sent now: {sent}"] if sent else []
    lines.append(f"either the site has new keys, or somebody stands between; ask: {_page(site)}")
    file = f" -f '{known[0][0]}'" if known else ""
    lines.append(f"only when the site confirms the new one: ssh-keygen -R '{facts.name}'{file}")
    return RunError(f"{facts.host} is not the machine that it was: its key has changed", "\n".join(lines))


def closing_time(connection: Connection) -> str:
    """Return when a connection will close."""
    whose = f", the rule of {connection.site.name}" if connection.site.idle else ""
    until = time.strftime("%H:%M", time.localtime(time.time() + connection.idle))
    return f"it closes itself after {span(connection.idle)} without use (not before {until}){whose}"


def ssh_config_lines(said: str, folder: Path) -> tuple[Site, str]:
    """Return the lines of an ssh configuration with which other programs ride on the connection, and never log in."""
    site, login = site_login(said, folder)
    facts = read_settings(login)
    told = f"no connection to {site.name}, or no free session: packhorse connect {site.name}"
    lines = [
        f"# Rides on the connection of packhorse connect {site.name}, and never logs in by itself.",
        f"Host ph-{site.name}",
        f"    HostName {facts.host}",
        f"    User {facts.user}",
        *([f"    Port {facts.port}"] if facts.port != "22" else []),
        "    ControlMaster no",
        f"    ControlPath {login.socket}",
        f"    ProxyCommand sh -c 'echo \"{told}\" >&2; exit 1'",
    ]
    return site, "\n".join(lines)
