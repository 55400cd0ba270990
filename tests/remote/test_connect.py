"""One login in the user's terminal, on which everything else rides: driven like a person at a real sshd."""

from __future__ import annotations

import pytest

from remote.gate import Gate
from remote.laptop import Laptop

KINDS = ["key", "push", "code", "both"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_logs_in_once_and_everything_else_rides_on_that(laptop: Laptop, gate: Gate, kind: str) -> None:
    status, shown = laptop.connect(kind)
    assert status == 0
    assert f"connected to {kind} as {gate.users[kind]} on testbed-login\n" in shown
    assert "it closes itself after 8 h without use" in shown
    for words in (["--check"], []):
        again = laptop.run("connect", kind, *words)
        assert again.returncode == 0, again.stderr
        assert f"you are connected to {kind} as {gate.users[kind]} on testbed-login\n" in again.stdout
    assert gate.logins() == [gate.users[kind]]
    assert laptop.run("connect", kind, "--close").stdout == f"closed the connection to {kind}\n"
    gone = laptop.run("connect", kind, "--check")
    assert gone.returncode == 5
    assert gone.stderr == f"packhorse: not connected to {kind}\n  packhorse connect {kind}\n"
    assert laptop.run("connect", kind, "--close").stdout == f"not connected to {kind}\n"
    assert gate.logins() == [gate.users[kind]]
    assert laptop.masters() == []
