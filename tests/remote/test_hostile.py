"""A site whose other end is not ours any more: nothing of it is believed, nothing is written elsewhere, and it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remote.laptop import Laptop
from remote.test_run import project

# What is done to the porter after it has come to the site and before it answers.
MISCHIEF = {
    "noise": "def answer(self, value, data=b''):\n    self.target.write(b'cron: hello\\n')\n    self.target.flush()\n",
    "no object": "def answer(self, value, data=b''):\n    self.target.write(b'[1, 2]\\n')\n    self.target.flush()\n",
    "no text": "def answer(self, value, data=b''):\n    self.target.write(b'\\xff\\xfe\\x00\\n')\n    self.target.flush()\n",
    "to no question": "def answer(self, value, data=b''):\n    true(self, dict(value, id=77), data)\n",
    "without a number": "def answer(self, value, data=b''):\n    true(self, dict(value, id=None), data)\n",
    "of no shape": "def answer(self, value, data=b''):\n    true(self, {'id': value['id'], 'programs': 7}, data)\n",
    "numbers that are words": (
        "def answer(self, value, data=b''):\n"
        "    wrong = {name: 'x' for name in value if name != 'id'}\n    true(self, dict(wrong, id=value['id']), data)\n"
    ),
}
OUTSIDE = """
def answer(self, value, data=b''):
    if 'ends' in value:
        value['files'].update({name: 'evil' for name in ('../evil', 'waves/../../evil', 'cluster.json', 'study.yaml')})
        value['ends'].update({'journal/../../evil.ndjson': 'evil', '../evil.ndjson': 'evil'})
        value['marks'] = {}
    if isinstance(value.get('files'), list):
        value['files'] = [['../evil', 4, 1.0, 420], ['/tmp/evil', 4, 1.0, 420]]
    if 'from' in value:
        value['name'] = '../evil'
    true(self, value, data)
"""
SPAN = """
def answer(self, value, data=b''):
    if 'from' in value:
        value[WHAT] = VALUE
    true(self, value, data)
"""
PYTHON = """#!/bin/sh
case "$*" in *version_info*) exit 0 ;; esac
exec {python} {program} "$@"
"""
PROGRAM = """
import sys, zlib
source = zlib.decompress(sys.stdin.buffer.read(int(sys.stdin.buffer.readline()))).decode()
sys.argv = ["-c", sys.argv[-1]]
mischief = open({mischief!r}).read()
wrong = "true = module.Wire.answer\\n" + mischief + "\\nmodule.Wire.answer = answer\\n"
exec(compile(source.replace("module.main()", wrong + "module.main()"), "agent", "exec"))
"""


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop


@pytest.fixture
def done(connected: Laptop) -> Path:
    """Return a project whose study has run there."""
    place = project(connected.home / "study")
    ran = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert ran.returncode == 0, ran
    return place


@pytest.fixture
def turned(connected: Laptop) -> Iterator[Callable[[str], None]]:
    """Return `turned(mischief)`: from then on the other end is another."""
    gate = connected.gate
    place = gate.cluster.workspace(gate.users["key"])
    python = gate.cluster.directory / "packhorse/current/bin/python3"  # theirs: not every user may run ours
    (place / "mischief").write_text("answer = true")
    (place / "program").write_text(PROGRAM.format(mischief=str(place / "mischief")))
    (place / "python3").write_text(PYTHON.format(python=python, program=place / "program"))
    (place / "python3").chmod(0o755)
    files = gate.cluster.home(gate.users["key"]) / ".bashrc"
    before = files.read_text()
    files.write_text(f"{before}\nPATH={place}:$PATH\n")
    yield lambda text: void((place / "mischief").write_text(text))
    files.write_text(before)


def void(_: object) -> None:
    """Return nothing."""


def test_answers_that_make_no_sense_are_told(
    connected: Laptop, done: Path, turned: Callable[[str], None]
) -> None:
    commands = (
        ("status", "study"),
        ("collect", "study"),
        ("run", "study.yaml", "--site", "key"),
        ("get", "key:x"),
    )
    for number, (what, mischief) in enumerate(MISCHIEF.items()):
        turned(mischief)
        said = connected.run(*commands[number % len(commands)], cwd=done)
        assert said.returncode == 5, (what, said)
        assert "sent a malformed reply" in said.stderr, (what, said)
        assert "Traceback" not in said.stderr, (what, said)


def test_nothing_is_written_that_the_site_has_no_say_in(
    connected: Laptop, done: Path, turned: Callable[[str], None]
) -> None:
    before = {name: (done / "runs/study" / name).read_bytes() for name in ("cluster.json", "study.yaml")}
    (done / "runs/study/far.json").unlink()
    turned(OUTSIDE)
    assert connected.run("status", "study", cwd=done).returncode == 0
    for words in (("collect", "study"), ("get", "key:packhorse", "back"), ("get", "study")):
        said = connected.run(*words, cwd=done)
        assert said.returncode == 5, said
        assert "Traceback" not in said.stderr
    assert {name: (done / "runs/study" / name).read_bytes() for name in before} == before
    assert list(connected.home.rglob("*evil*")) == []
    assert not Path("/tmp/evil").exists()


def test_files_that_are_told_wrongly_never_appear(connected: Laptop, turned: Callable[[str], None]) -> None:
    (connected.home / "one").write_text("1234567890")
    assert connected.run("put", "one", "key:one").returncode == 0
    for what, value in (
        ("size", -5),
        ("from", 7),
        ("mtime", "x"),
        ("mode", -1),
        ("name", "two"),
        ("size", 10**18),
    ):
        turned(SPAN.replace("WHAT", repr(what)).replace("VALUE", repr(value)))
        said = connected.run("get", "key:one", "two", timeout=90)
        assert said.returncode == 5, (what, value, said)
        assert "Traceback" not in said.stderr, (what, value, said)
        assert not (connected.home / "two").exists()
