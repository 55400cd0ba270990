"""The user's connection to a site: open it in their terminal, check it, close it, and explain why a login failed."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from packhorse.model.errors import RunError, UsageError
from packhorse.model.site import Site
from packhorse.project.cache_dir import cache_dir
from packhorse.project.sites import find_file, find_site, this_site
from packhorse.runtime.site_files import user_folder
from packhorse.ssh.control_master import (
    MasterStatus,
    SshSettings,
    check_master,
    close_master,
    connect_lock,
    host_name,
    is_configured,
    known_host_keys,
    open_master,
    read_settings,
)
from packhorse.ssh.failures import login_failure, offered_key
from packhorse.ssh.login import Login, login_to
from packhorse.text.amounts import span

_WITH_PORT = re.compile(r"(?:[^@/:]+@)?[^@/:]+:\d+")
IDLE_SECONDS = 8 * 3600  # after which an idle connection closes where the site has no rule: a working day


class Connection(Struct, frozen=True, kw_only=True):
    """A connection to a site and its state. It closes after `idle` seconds without use."""

    site: Site
    login: Login
    look: MasterStatus
    idle: int


def connect(name: str, folder: Path, notify: Callable[[str], None]) -> tuple[Connection, bool]:
    """Open the connection to a site, unless it is open; return it, and whether it was open before.

    Raises RunError where the login fails, with the likely causes at that site.
    """
    site, login = site_login(name, folder)
    with connect_lock(login):
        before = check_master(login)
        if before.state in ("open", "busy", "mute"):
            return _usable(_connection(site, login, before)), True
        if before.state == "silent":
            notify(f"the connection to {site.name} does not respond; closing it and connecting again")
            close_master(login)
        _check_terminal(site)
        settings = read_settings(login)
        if not known_host_keys(settings) and not settings.strict:
            notify(_unknown_key(site, settings))
        notify(f"logging in to {settings.host} as {settings.user}")
        login.socket.unlink(missing_ok=True)  # of a hung master: ssh would leave it there, and share nothing
        error = open_master(login, settings, site.idle or IDLE_SECONDS)
        if error:
            other_user = _login_line(name, site, f"NAME@{settings.host}", folder)
            raise _refusal(site, settings, error, other_user)
    return _usable(_connection(site, login, check_master(login))), False


def check(name: str, folder: Path) -> Connection:
    """Return the state of the connection to a site, as the login node replies."""
    site, login = site_login(name, folder)
    return _connection(site, login, check_master(login))


def keep_in_use(name: str, folder: Path, *, keep: bool) -> None:
    """Record whether commands that monitor may poll for longer than the site allows an idle login."""
    _, login = site_login(name, folder)
    if keep:
        login.keep_file.touch(mode=0o600)
    else:
        login.keep_file.unlink(missing_ok=True)


def disconnect(name: str, folder: Path) -> tuple[Site, bool]:
    """Close the connection to a site; return the site, and whether there was a connection."""
    site, login = site_login(name, folder)
    return site, close_master(login)


def site_login(name: str, folder: Path) -> tuple[Site, Login]:
    """Return a site and its login; raise UsageError where the site has none, or needs none from this machine."""
    site = site_or_host(name, folder)
    if site.scheduler == "local":
        raise UsageError(f"{site.name} is this machine and needs no login")
    if not site.login:
        host = next((host for host in site.hosts if "." in host and not set("*?") & set(host)), "HOST")
        message = f"the login node of {site.name} is not known"
        raise UsageError(message, _login_line(name, site, f"YOU@{host}", folder))
    if site.has_login(platform.node()):
        raise UsageError(
            f"this machine is a login node of {site.name}, so no connection is needed",
            f"packhorse run study.yaml --site {site.name}",
        )
    return site, login_to(site.name, site.login, cache_dir())


def site_or_host(name: str, folder: Path) -> Site:
    """Return a site by its name; raise UsageError for an unknown one, with a site file to write for a host of ssh."""
    try:
        return find_site(name, folder)
    except UsageError as error:
        address = _as_ssh_takes_it(name)
        if not _is_host(address):
            raise
        place = user_folder() or Path("packhorse-sites")
        written = address.removeprefix("ssh://").rpartition("@")[2].partition(":")[0]
        hosts = (written, host_name(login_to(address, address, cache_dir())))
        known = next(filter(None, (this_site(folder, host) for host in hosts)), None)
        message, begin, other = (
            f"{name} is a host of ssh, but not a site of Packhorse",
            "scheduler: slurm",
            "",
        )
        if known is not None:
            message = f"{name} is a login node of {known.name}, but not the name of a site"
            begin, other = f"extends: {known.name}", f"packhorse connect {known.name}; or "
        hint = (
            f"{other}make it a site: write {place / 'NAME.yaml'} with these lines, then packhorse connect NAME\n"
            f"  {begin}\n  login: {address}"
        )
        raise UsageError(message, hint) from error


def _as_ssh_takes_it(name: str) -> str:
    """Return an address as ssh takes it: a port after a colon needs the form of a URL (ssh(1))."""
    found = _WITH_PORT.fullmatch(name)
    return f"ssh://{name}" if found else name


def _is_host(name: str) -> bool:
    """Return whether ssh knows a host of this name: by the form of an address, or by the user's settings."""
    plain = name.removeprefix("ssh://")
    if "@" in plain or "." in plain or plain != name:
        return "/" not in plain
    if not name.replace("-", "").replace("_", "").isalnum():
        return False
    try:
        return is_configured(login_to(name, name, cache_dir()))
    except RunError:
        return False


def _login_line(name: str, site: Site, login: str, folder: Path) -> str:
    """Return the line that sets a login, and the file to write it to."""
    file = find_file(name, folder)
    if file.origin != "shipped":
        return f"write this line to {file.path}:\n  login: {login}"
    place = (user_folder() or folder / "packhorse-sites") / f"{site.name}.yaml"
    return f"write {place} with these lines:\n  extends: {site.name}\n  login: {login}"


def _check_terminal(site: Site) -> None:
    """Raise RunError where ssh cannot ask the user for a password, and no program does (ssh(1), SSH_ASKPASS)."""
    if os.environ.get("SSH_ASKPASS_REQUIRE") in ("force", "prefer"):
        return
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        raise RunError(
            f"{site.name} may ask for a password or a code, and there is no terminal to type it in",
            f"type in a terminal: packhorse connect {site.name}",
        ) from None


def _connection(site: Site, login: Login, status: MasterStatus) -> Connection:
    return Connection(site=site, login=login, look=status, idle=site.idle or IDLE_SECONDS)


def _unknown_key(site: Site, settings: SshSettings) -> str:
    return (
        f"this machine has no host key of {settings.host}: ssh shows its fingerprint and asks."
        f" Before you type yes, compare it with the one that {site.name} publishes ({_page(site)})"
    )


def _page(site: Site) -> str:
    return site.documentation[0] if site.documentation else site.access.help or "ask its help desk"


def connection_error(connection: Connection) -> RunError | None:
    """Return why a connection cannot be used; None where it can, now or when a session is free."""
    name = connection.site.name
    return {
        "closed": RunError(f"not connected to {name}", f"packhorse connect {name}"),
        "silent": RunError(
            f"{name} does not respond; the network may be down",
            f"wait for the network, or connect again: packhorse connect {name}",
        ),
        "mute": RunError(
            f"{name} accepted the login, but does not run commands",
            "a startup file there, such as .bashrc, may end every shell without a terminal (exit)",
        ),
    }.get(connection.look.state)


def _usable(connection: Connection) -> Connection:
    error = connection_error(connection)
    if error is not None:
        raise error
    return connection


def _refusal(site: Site, settings: SshSettings, error: str, other_user: str) -> RunError:
    """Return why a login failed, with the facts of the site; `other_user` is how to log in with another user name."""
    kind = login_failure(error)
    again = f"packhorse connect {site.name}"
    host = settings.host
    if kind == "denied":
        hint = "\n".join(_denied(site, settings, other_user))
        return RunError(f"{site.name} refused the login of {settings.user}", hint)
    if kind == "changed":
        return _changed_key(site, settings, error)
    news = [f"maintenance of {site.name}: {site.maintenance}"] if site.maintenance else []
    texts = {
        "unknown": (
            f"the host key of {host} is not known and was not accepted, so there was no login",
            _to_trust(site, settings, again),
        ),
        "name": (
            f"host {host} not found",
            f"check `login` of the site (packhorse sites show {site.name}), and your network or VPN",
        ),
        "away": (
            f"{host} does not respond",
            "\n".join([*news, f"check the network, and the VPN if {site.name} requires one; then {again}"]),
        ),
        "closed": (
            f"{host} closed the connection",
            "\n".join(
                [
                    *news,
                    f"after a password: it was wrong, or too late; {again}",
                    f"before one: {site.name} may be busy, or may have blocked you for some time; later: {again}",
                ]
            ),
        ),
        "settings": ("ssh refuses its settings; see its message above", f"correct them, then {again}"),
    }
    message, hint = texts.get(kind, (f"ssh could not log in to {site.name}; see its message above", again))
    return RunError(message, hint)


def _to_trust(site: Site, settings: SshSettings, again: str) -> str:
    if settings.strict and settings.files:
        return f"your settings accept no unknown key: add the site's ({_page(site)}) to {settings.files[0]}"
    return f"compare its fingerprint ({_page(site)}), then {again} and answer yes"


def _denied(site: Site, settings: SshSettings, other_user: str) -> list[str]:
    """Return the possible causes of "permission denied" at a site, the most likely first."""
    access = site.access
    lines = [
        f"a wrong password or code, or a push that was not approved in time: packhorse connect {site.name}",
        f"another user name there? you tried {settings.user}; to use another, {other_user}",
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


def _changed_key(site: Site, settings: SshSettings, error: str) -> RunError:
    known = known_host_keys(settings)
    lines = [f"known here: {key} ({file})" for file, key in known]
    offered = offered_key(error)
    lines += [f"sent now: {offered}"] if offered else []
    lines.append(
        f"either the site has new keys, or another machine intercepts the connection; ask: {_page(site)}"
    )
    file = f" -f '{known[0][0]}'" if known else ""
    lines.append(f"only when the site confirms the new key: ssh-keygen -R '{settings.name}'{file}")
    return RunError(f"the host key of {settings.host} has changed", "\n".join(lines))


def closing_time(connection: Connection) -> str:
    """Return when a connection will close, as a sentence."""
    rule = f", the rule of {connection.site.name}" if connection.site.idle else ""
    until = time.strftime("%H:%M", time.localtime(time.time() + connection.idle))
    return f"it closes after {span(connection.idle)} without use (not before {until}){rule}"


def ssh_config_lines(name: str, folder: Path) -> tuple[Site, str]:
    """Return a site and the ssh settings with which other programs share its connection, and never log in."""
    site, login = site_login(name, folder)
    settings = read_settings(login)
    message = f"no connection to {site.name}, or no free session: packhorse connect {site.name}"
    lines = [
        f"# Uses the connection of packhorse connect {site.name}, and never logs in by itself.",
        f"Host ph-{site.name}",
        f"    HostName {settings.host}",
        f"    User {settings.user}",
        *([f"    Port {settings.port}"] if settings.port != "22" else []),
        "    ControlMaster no",
        f"    ControlPath {login.socket}",
        f"    ProxyCommand sh -c 'echo \"{message}\" >&2; exit 1'",
    ]
    return site, "\n".join(lines)
