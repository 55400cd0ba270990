"""One login in the user's terminal, on which everything else rides: driven like a person at a real sshd."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pexpect
import pytest
from msgspec.structs import replace

from packhorse.ssh.login import login_to
from remote.gate import Gate
from remote.laptop import Laptop

KINDS = ["key", "push", "code", "both"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_logs_in_once_and_everything_else_rides_on_that(laptop: Laptop, gate: Gate, kind: str) -> None:
    status, shown = laptop.connect(kind)
    assert status == 0
    assert f"connected to {kind} as {gate.users[kind]} on testbed-login\n" in shown
    assert re.search(r"it closes after 8 h without use \(not before \d\d:\d\d\)", shown)
    for words in (["--check"], []):
        again = laptop.run("connect", kind, *words)
        assert again.returncode == 0, again.stderr
        assert f"already connected to {kind} as {gate.users[kind]} on testbed-login\n" in again.stdout
    assert gate.logins() == [gate.users[kind]]
    assert laptop.run("connect", kind, "--close").stdout == f"closed the connection to {kind}\n"
    gone = laptop.run("connect", kind, "--check")
    assert gone.returncode == 5
    assert gone.stderr == f"packhorse: not connected to {kind}\n  packhorse connect {kind}\n"
    assert laptop.run("connect", kind, "--close").stdout == f"not connected to {kind}\n"
    assert gate.logins() == [gate.users[kind]]
    assert laptop.masters() == []


def test_a_push_that_is_denied_is_explained_in_the_words_of_the_site(laptop: Laptop, gate: Gate) -> None:
    laptop.site(
        "push",
        "extends: testbed\nlogin: login-push\ndocumentation: [https://example.org/cluster]\n"
        "access:\n  denied: accounts of today cannot be used yet\n  delay: up to 24 h\n  help: help@example.org\n",
    )
    laptop.prefer("NumberOfPasswordPrompts 1")
    gate.push("deny")
    status, shown = laptop.connect("push")
    assert status == 5
    told = shown[shown.index("packhorse:") :].splitlines()
    assert told[0] == f"packhorse: push refused the login of {gate.users['push']}"
    assert told[1:] == [
        "  a wrong password or code, or a push that was not approved in time: packhorse connect push",
        f"  another user name there? you tried {gate.users['push']}; to use another, write this line to {laptop.sites}/push.yaml:",
        "    login: NAME@127.0.0.1",
        "  a new account: accounts of today cannot be used yet",
        "  until an account can be used: up to 24 h",
        "  help: help@example.org",
        "  its pages: https://example.org/cluster",
    ]
    assert gate.attempts() == [f"{gate.users['push']} password ok", f"{gate.users['push']} push no"]
    assert gate.logins() == []
    assert laptop.run("connect", "push", "--check").returncode == 5
    assert len(gate.attempts()) == 2  # looking asks nobody


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [("push", "timeout"), ("push", "passcode"), ("push", "password"), ("code", "code")],
)
def test_what_is_wrong_is_asked_again_and_what_is_right_then_counts(
    laptop: Laptop, gate: Gate, kind: str, wrong: str
) -> None:
    answers = gate.answers(kind)
    mistaken = {"timeout": "1", "passcode": "x", "password": "x", "code": "000000"}[wrong]
    place = 0 if wrong == "password" else 1
    first = [*answers[:place], (answers[place][0], mistaken)]
    if wrong == "timeout":
        gate.push("timeout")
        answers[1] = (answers[1][0], gate.passcode)
    status, shown = laptop.connect(kind, [*first, *answers])
    assert status == 0, shown
    assert gate.logins() == [gate.users[kind]]


def test_an_unknown_host_is_shown_with_its_fingerprint_and_taken_only_by_a_yes(
    laptop: Laptop, gate: Gate
) -> None:
    laptop.site("key", "extends: testbed\nlogin: login-key\ndocumentation: [https://example.org/keys]\n")
    laptop.trust("")
    laptop.prefer("StrictHostKeyChecking no")  # asked all the same
    status, shown = laptop.connect("key", [("(yes/no/[fingerprint])?", "no")])
    assert status == 5
    assert "this machine has no host key of 127.0.0.1" in shown
    assert "the one that key publishes (https://example.org/keys)" in shown
    assert f"ED25519 key fingerprint is {gate.fingerprint()}" in shown
    assert "was not accepted, so there was no login" in shown
    assert gate.logins() == []
    assert laptop.known_hosts.read_text() == ""
    assert laptop.connect("key", [("(yes/no/[fingerprint])?", "yes")])[0] == 0
    assert gate.host_key() in laptop.known_hosts.read_text()
    assert gate.logins() == [gate.users["key"]]


def test_a_host_whose_key_has_changed_is_refused_with_both_fingerprints(laptop: Laptop, gate: Gate) -> None:
    other = (laptop.home / "key.pub").read_text().split()
    laptop.trust(" ".join(other[:2]))
    status, shown = laptop.connect("key", [])
    assert status == 5
    told = shown[shown.index("packhorse:") :]
    assert "the host key of 127.0.0.1 has changed" in told
    assert f"known here: ED25519 {laptop.fingerprint()} ({laptop.known_hosts})" in told
    assert f"sent now: ED25519 {gate.fingerprint()}" in told
    assert f"ssh-keygen -R '[127.0.0.1]:{gate.port}' -f '{laptop.known_hosts}'" in told
    assert gate.logins() == []


def test_the_socket_of_a_master_that_was_killed_is_removed(laptop: Laptop, gate: Gate) -> None:
    laptop.connect("key")
    (socket,) = laptop.sockets()
    for master in laptop.masters():
        os.kill(master, signal.SIGKILL)
    assert socket.exists()
    assert "not connected to key" in laptop.run("connect", "key", "--check").stderr
    assert not socket.exists()
    assert laptop.connect("key")[0] == 0
    assert gate.logins() == [gate.users["key"]] * 2


def test_a_master_that_hangs_is_replaced(laptop: Laptop, gate: Gate) -> None:
    laptop.connect("key")
    (hanging,) = laptop.masters()
    os.kill(hanging, signal.SIGSTOP)
    try:
        status, shown = laptop.connect("key")
        assert status == 0, shown
        assert laptop.run("connect", "key", "--check").returncode == 0
        assert gate.logins() == [gate.users["key"]] * 2
    finally:
        os.kill(hanging, signal.SIGKILL)


def test_an_sshd_that_is_restarted_keeps_its_connections_and_one_that_dies_does_not(
    laptop: Laptop, gate: Gate
) -> None:
    laptop.connect("push")
    gate.restart()
    assert laptop.run("connect", "push", "--check").returncode == 0
    gate.restart(cut=True)
    assert "not connected to push" in laptop.run("connect", "push", "--check").stderr
    assert gate.logins() == [gate.users["push"]]


def test_a_connection_without_a_network_is_told_in_time_and_opened_anew(laptop: Laptop, gate: Gate) -> None:
    laptop.connect("push")
    gate.freeze()
    begin = time.monotonic()
    silent = laptop.run("connect", "push", "--check")
    assert time.monotonic() - begin < 15
    assert silent.returncode == 5
    assert "push does not respond; the network may be down" in silent.stderr
    gate.restart()  # whoever calls is answered again, and the old connection stays as it is
    status, shown = laptop.connect("push")
    assert status == 0
    assert "the connection to push does not respond; closing it and connecting again" in shown
    assert laptop.run("connect", "push", "--check").returncode == 0
    assert gate.logins() == [gate.users["push"]] * 2


def test_sessions_that_are_all_in_use_are_told_and_never_make_a_login(laptop: Laptop, gate: Gate) -> None:
    gate.change("MaxSessions 1")
    laptop.connect("key")
    with laptop.session("key"):
        busy = laptop.run("connect", "key", "--check")
        assert busy.returncode == 0
        assert "all its sessions are in use" in busy.stdout
        login = login_to("key", "login-key", laptop.home / ".cache" / "packhorse")
        login = replace(login, socket=laptop.sockets()[0], config=str(laptop.ssh_config))
        assert subprocess.run([*login.session_argv(), "true"], check=False).returncode == 255
        assert login.lost().message == "too many sessions at once on the connection to key"
    free = laptop.run("connect", "key", "--check")
    assert "on testbed-login" in free.stdout
    assert gate.logins() == [gate.users["key"]]


@pytest.mark.parametrize(
    ("line", "status", "told"),
    [
        ("echo 'Have a nice day'", 0, "your startup files there print text in every shell (Have a nice day)"),
        ("[[ $- != *i* ]] && return", 0, "connected to key"),
        ("exit 0", 5, "key accepted the login, but does not run commands"),
    ],
)
def test_what_a_bashrc_does_is_coped_with_or_told(
    laptop: Laptop, gate: Gate, line: str, status: int, told: str
) -> None:
    with gate.startup("key", line):
        found, shown = laptop.connect("key")
        assert (found, told in shown) == (status, True), shown
        assert laptop.run("connect", "key", "--check").returncode == status
    assert gate.logins() == [gate.users["key"]]


def test_without_a_terminal_nobody_can_be_asked(laptop: Laptop, gate: Gate) -> None:
    told = laptop.run("connect", "push")
    assert told.returncode == 5
    assert told.stderr.splitlines() == [
        "packhorse: push may ask for a password or a code, and there is no terminal to type it in",
        "  type in a terminal: packhorse connect push",
    ]
    assert gate.attempts() == []


def test_a_second_connect_is_refused_while_the_first_is_asked(laptop: Laptop, gate: Gate) -> None:
    first = laptop.terminal("connect", "push")
    first.expect_exact("Password: ")
    status, shown = laptop.connect("push", [])
    assert status == 5
    assert "another packhorse connect push is running" in shown
    first.sendintr()
    first.expect(pexpect.EOF)
    first.close()
    assert first.exitstatus == 130
    assert laptop.connect("push")[0] == 0
    assert gate.logins() == [gate.users["push"]]


def test_the_settings_of_ssh_count_and_those_that_would_spoil_a_login_do_not(
    laptop: Laptop, gate: Gate
) -> None:
    laptop.prefer(
        "Host behind",
        "    ProxyJump login-key",
        f"    User {gate.users['push']}",
        "    BatchMode yes",
        "    ControlMaster auto",
        "    ControlPath /nowhere/%C",
        "    RemoteCommand uptime",
        "    RequestTTY force",
        "    LocalForward 1 localhost:1",
        "    StrictHostKeyChecking accept-new",
    )
    laptop.site("push", "extends: testbed\nlogin: behind\nidle: 1 h\n")
    status, shown = laptop.connect("push")
    assert status == 0, shown
    assert re.search(r"it closes after 1 h without use \(not before \d\d:\d\d\), the rule of push", shown)
    assert "on testbed-login" in laptop.run("connect", "push", "--check").stdout
    assert gate.logins() == [gate.users["key"], gate.users["push"]]


def test_a_key_with_a_passphrase_and_a_key_in_an_agent_log_in(laptop: Laptop, gate: Gate) -> None:
    key = laptop.home / "key"
    protect = ["ssh-keygen", "-q", "-p", "-P", "", "-N", "open sesame", "-f", str(key)]
    subprocess.run(protect, check=True, stdout=subprocess.DEVNULL)
    assert laptop.connect("key", [("Enter passphrase for key", "open sesame")])[0] == 0
    laptop.run("connect", "key", "--close")
    agent = laptop.home / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(agent)], stdout=subprocess.DEVNULL) as process:
        try:
            gate.cluster.until("the agent listens", agent.is_socket)
            adding = ["ssh-add", str(gate.place / "user_key")]
            environment = {**os.environ, "SSH_AUTH_SOCK": str(agent)}
            subprocess.run(adding, env=environment, check=True, capture_output=True)
            laptop.prefer(f"IdentityAgent {agent}")
            assert laptop.connect("key", [])[0] == 0
        finally:
            process.terminate()
    assert gate.logins() == [gate.users["key"]] * 2


def test_settings_that_take_no_unknown_key_are_obeyed(laptop: Laptop, gate: Gate) -> None:
    laptop.trust("")
    laptop.prefer("StrictHostKeyChecking yes", "LogLevel QUIET")
    status, shown = laptop.connect("key", [])
    assert status == 5
    assert (
        f"your settings accept no unknown key: add the site's (ask its help desk) to {laptop.known_hosts}"
        in shown
    )
    assert gate.logins() == []


REFUSED = {
    "shipped": ("testbed", 2, "the login node of testbed is not known", "  extends: testbed\n"),
    "own": ("mine", 2, "the login node of mine is not known", "sites/mine.yaml:\n    login: YOU@"),
    "local": ("local", 2, "local is this machine", "and needs no login"),
    "host": (
        "login-key",
        2,
        "login-key is a host of ssh, but not a site of Packhorse",
        "  login: login-key\n",
    ),
    "address": ("me@example.org", 2, "me@example.org is a host of ssh", "NAME.yaml with these lines"),
    "port": (
        "me@example.org:2222",
        2,
        "me@example.org:2222 is a host of ssh",
        "  login: ssh://me@example.org:2222\n",
    ),
    "url": ("ssh://me@example.org:2222", 2, "is a host of ssh", "  login: ssh://me@example.org:2222\n"),
    "known": (
        "me@login.example.org",
        2,
        "me@login.example.org is a login node of mine, but not the name of a site",
        "packhorse connect mine; or make it a site",
        "  extends: mine\n    login: me@login.example.org\n",
    ),
    "alias": ("nick", 2, "nick is a login node of mine", "  extends: mine\n    login: nick\n"),
    "nothing": ("quarz", 2, "no site 'quarz'", "packhorse sites lists them"),
    "nobody": ("lost", 5, "host nowhere.invalid not found", "packhorse sites show lost"),
    "closed": ("deaf", 5, "127.0.0.1 does not respond", "maintenance of deaf: Tuesdays"),
    "settings": ("odd", 5, "ssh rejects its settings", "Bad configuration option: nonsense"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_connected_is_told_with_what_to_do(laptop: Laptop, case: str) -> None:
    said, status, *words = REFUSED[case]
    laptop.site("mine", "extends: testbed\nhosts: [login.example.org]\n")
    laptop.site("lost", "extends: testbed\nlogin: nowhere.invalid\n")
    laptop.site("deaf", "extends: testbed\nlogin: deaf\nmaintenance: Tuesdays\n")
    laptop.site("odd", "extends: testbed\nlogin: odd\n")
    laptop.prefer("Host nowhere.invalid\n    HostName nowhere.invalid", "Host deaf\n    Port 1")
    laptop.prefer("Host nick\n    HostName login.example.org\n    Port 2200")
    if case == "settings":
        laptop.prefer("Nonsense yes")
    found, shown = laptop.connect(said, [])
    assert found == status, shown
    for word in words:
        assert word in shown
